import type { Clock } from '../clock.ts'
import type { Lifetime } from './lifetime.ts'

const everyMs = 250

/**
 * Tells what is fresh by both clocks, and reads the monotonic one only now and then: a clock costs a call more than all else that a
 * token at hand does. The wall clock is read each time, since it alone notices at once that the machine slept or the process was
 * frozen; the other one is there for a wall clock that was set back.
 */
export class RecentClock {
  readonly #clock: Clock
  #readAt = Number.NaN
  #monotonic = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  isFresh({ start, renewAfterMs }: Lifetime): boolean {
    const wall = this.#clock.now()
    if (wall - start.wall >= renewAfterMs) return false
    const sinceMs = wall - this.#readAt
    // Since it was read it has gone on as the wall clock has, or the wall clock was set.
    const isKnown = sinceMs >= 0 && sinceMs < everyMs && this.#monotonic + everyMs - start.monotonic < renewAfterMs
    if (!isKnown) {
      this.#readAt = wall
      this.#monotonic = this.#clock.monotonic()
    }
    return this.#monotonic - start.monotonic < renewAfterMs
  }
}
