import { setImmediate } from 'node:timers/promises'

/** A clock that moves only when told. */
export interface ManualClock {
  /** Wall clock, milliseconds since the epoch. */
  now(): number
  /** Never steps back, milliseconds. Starts at another value than the wall clock, so that mixing them up shows. */
  monotonic(): number
  /** Calls back after `delayMs` of monotonic time; below 0 counts as 0. `unref` changes nothing. Returns what cancels it. */
  setTimer(callback: () => void, delayMs: number, options?: { readonly unref?: boolean }): () => void
  /**
   * Moves both clocks on and fires what falls due, in order of time and then of setting, timers set meanwhile included.
   * Before, between and after them, promise chains run as far as they can. What waits for a socket, a file or the
   * thread pool (Web Crypto) is not waited for. Rejects with what a callback throws.
   */
  advance(ms: number): Promise<void>
  /** Moves the wall clock alone, back if negative, as a time server does. No timer fires. */
  stepWall(ms: number): void
  /** Moves the wall clock alone, as when the machine sleeps: monotonic time stands still. No timer fires. */
  suspend(ms: number): void
  /** Timers that are set and have neither fired nor been cancelled. */
  readonly pendingTimers: number
}

interface Timer {
  readonly dueAt: number
  readonly callback: () => void
}

/** A clock at `now`, milliseconds since the epoch; default 2026-01-01T00:00:00Z. */
export function createManualClock({ now = Date.UTC(2026, 0, 1) }: { readonly now?: number } = {}): ManualClock {
  // Insertion order breaks ties, as it does for the timers of Node.js.
  const timers = new Set<Timer>()
  let wall = now
  let monotonic = 1000
  // Where all calls of `advance` so far lead to: two that overlap add up.
  let horizon = monotonic

  const moveTo = (target: number): void => {
    const elapsed = Math.max(0, target - monotonic)
    monotonic += elapsed
    wall += elapsed
  }

  const nextDue = (target: number): Timer | undefined => {
    let next: Timer | undefined
    for (const timer of timers) {
      if (timer.dueAt <= target && (next === undefined || timer.dueAt < next.dueAt)) next = timer
    }
    return next
  }

  return {
    now: () => wall,
    monotonic: () => monotonic,
    setTimer(callback, delayMs) {
      const timer: Timer = { dueAt: monotonic + nonNegative('delayMs', Math.max(0, delayMs)), callback }
      timers.add(timer)
      return () => void timers.delete(timer)
    },
    async advance(ms) {
      const target = (horizon += nonNegative('ms', ms))
      await settle()
      for (let timer = nextDue(target); timer !== undefined; timer = nextDue(target)) {
        moveTo(timer.dueAt)
        timers.delete(timer)
        timer.callback()
        await settle()
      }
      moveTo(target)
    },
    stepWall(ms) {
      wall += ms
    },
    suspend(ms) {
      wall += nonNegative('ms', ms)
    },
    get pendingTimers() {
      return timers.size
    },
  }
}

// One turn empties the microtask queue, however long the chain; the others let chains that hop over
// setImmediate themselves, as streams do, catch up.
async function settle(): Promise<void> {
  for (let turn = 0; turn < 3; turn += 1) await setImmediate()
}

function nonNegative(name: string, ms: number): number {
  if (!(ms >= 0 && Number.isFinite(ms))) throw new RangeError(`${name} must be a finite number of at least 0`)
  return ms
}
