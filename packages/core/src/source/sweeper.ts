import type { Clock } from '../clock.ts'

const everyMs = 60_000

/**
 * Drops what is dead once a minute, so that expired tokens do not lie about until their room is needed. Its timer does not
 * keep the process alive, and there is none while there is nothing to drop.
 */
export class Sweeper {
  readonly #clock: Clock
  readonly #sweep: () => number
  #cancel: (() => void) | undefined

  /** `sweep` drops what is dead and gives how much is left. */
  constructor(clock: Clock, sweep: () => number) {
    this.#clock = clock
    this.#sweep = sweep
  }

  start(): void {
    this.#cancel ??= this.#clock.setTimer(
      () => {
        this.#cancel = undefined
        if (this.#sweep() > 0) this.start()
      },
      everyMs,
      { unref: true },
    )
  }

  stop(): void {
    this.#cancel?.()
    this.#cancel = undefined
  }
}
