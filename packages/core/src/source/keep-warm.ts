import type { Clock } from '../clock.ts'

/**
 * Timers that renew tokens which nobody asks for. They do not keep the process alive, and nothing depends on them: where
 * a process is frozen between calls, the next call renews as it does without them.
 */
export class KeepWarm {
  readonly #clock: Clock
  readonly #cancel = new Map<string, () => void>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Calls back in `delayMs`, instead of what was set for this key before. */
  schedule(key: string, delayMs: number, callback: () => void): void {
    this.#cancel.get(key)?.()
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
    for (const cancel of this.#cancel.values()) cancel()
    this.#cancel.clear()
  }
}
