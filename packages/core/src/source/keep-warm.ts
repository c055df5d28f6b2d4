import type { Clock } from '../clock.ts'
import { BoundedMap } from './bounded-map.ts'

const maxTimers = 1000

/**
 * Timers that renew tokens which nobody asks for. They do not keep the process alive, and nothing depends on them: where
 * a process is frozen between calls, the next call renews as it does without them.
 */
export class KeepWarm {
  readonly #clock: Clock
  readonly #cancel = new BoundedMap<() => void>(maxTimers, (cancel) => cancel())

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Calls back in `delayMs`, instead of what was set for this key before. */
  schedule(key: string, delayMs: number, callback: () => void): void {
    this.#cancel.peek(key)?.()
    const cancel = this.#clock.setTimer(
      () => {
        this.#cancel.delete(key)
        callback()
      },
      delayMs,
      { unref: true },
    )
    this.#cancel.set(key, cancel)
  }

  clear(): void {
    for (const [, cancel] of this.#cancel.entries()) cancel()
    this.#cancel.clear()
  }
}
