let aheadMs = 0

/**
 * Has every clock of this process show the time that {@link setClockAhead} says, so that a token of an hour need not be waited
 * for. To be called before anything that may keep `Date.now`. Timers, and `process.hrtime`, go on as they were.
 */
export function takeClock(): void {
  const RealDate = Date
  const now = Date.now.bind(Date)
  const monotonic = performance.now.bind(performance)
  class AheadDate extends RealDate {
    constructor(...values: [] | [value: number]) {
      if (values.length === 0) super(now() + aheadMs)
      else super(...values)
    }
    static override now(): number {
      return now() + aheadMs
    }
  }
  globalThis.Date = AheadDate as DateConstructor
  performance.now = () => monotonic() + aheadMs
}

/** Sets all clocks of this process on by so many milliseconds. */
export function setClockAhead(ms: number): void {
  aheadMs = ms
}
