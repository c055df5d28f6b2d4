/** Where time comes from. The default is the machine's; tests give one that they move by hand. */
export interface Clock {
  /** Wall clock, in milliseconds since the epoch. May step in both directions. */
  now(): number
  /** Milliseconds since some fixed moment. Never steps back, may stand still while the machine sleeps. */
  monotonic(): number
  /**
   * Calls back once after `delayMs` and returns what cancels that.
   * With `unref`, the timer alone does not keep the process alive.
   */
  setTimer(callback: () => void, delayMs: number, options?: { readonly unref?: boolean }): () => void
}

/** Node's timers go no further, and fire at once when asked to. */
export const longestTimerMs = 2 ** 31 - 1

/** The machine's clocks and timers. */
export const systemClock: Clock = Object.freeze({
  now: Date.now,
  monotonic: performance.now.bind(performance),
  setTimer(callback: () => void, delayMs: number, options?: { readonly unref?: boolean }): () => void {
    const timer = setTimeout(callback, Math.min(delayMs, longestTimerMs))
    if (options?.unref === true) timer.unref()
    return () => clearTimeout(timer)
  },
})
