import { AsyncLocalStorage } from 'node:async_hooks'

/** A call, and its place among the others. */
export interface CallUnderWay {
  before: CallUnderWay | undefined
  after: CallUnderWay | undefined
  /** Milliseconds of `performance.now()`; 0 when there is none any more. */
  deadlineAt: number
  abort(reason: Error): void
}

/** Options of {@link CallsUnderWay}. */
export interface CallsUnderWayOptions {
  readonly timeoutMs: number
  readonly timeoutError: () => Error
}

/**
 * The calls of an upstream that have not ended: those that wait for response headers until their deadline, and those
 * whose response is being read. All have the same time, so the first in line is always the next to be late, and one timer
 * is enough for all of them.
 */
export class CallsUnderWay {
  readonly #options: CallsUnderWayOptions
  readonly #waiting = emptyRing()
  readonly #answered = emptyRing()
  // A timer runs in the AsyncLocalStorage of whoever sets it, which is no business of the other calls'.
  readonly #outside = AsyncLocalStorage.snapshot()
  #timer: NodeJS.Timeout | undefined
  #lookedAgain = false

  constructor(options: CallsUnderWayOptions) {
    this.#options = options
  }

  started(call: CallUnderWay): void {
    call.deadlineAt = Math.ceil(performance.now()) + this.#options.timeoutMs
    insert(call, this.#waiting)
    if (this.#timer === undefined && !this.#lookedAgain) this.#arm(this.#options.timeoutMs)
  }

  /** Its response headers are there: how long the rest may take is the caller's to say. */
  answered(call: CallUnderWay): void {
    // Most end before their turn in line comes, so they are not moved yet.
    call.deadlineAt = 0
  }

  ended(call: CallUnderWay): void {
    remove(call)
  }

  /** Ends every call with this error. */
  abortAll(error: Error): void {
    clearTimeout(this.#timer)
    for (const ring of [this.#waiting, this.#answered]) {
      for (let first = firstOf(ring); first !== undefined; first = firstOf(ring)) this.#abort(first, error)
    }
  }

  #arm(ms: number): void {
    // Calls have sockets, which keep the process alive for as long as it matters.
    this.#timer = this.#outside(() => setTimeout(() => this.#expire(), ms).unref())
  }

  #expire(): void {
    this.#timer = undefined
    const now = performance.now()
    const late = (firstOf(this.#waiting)?.deadlineAt ?? now) < now - lateMs
    // After a blocked event loop answers may be waiting that came in time: they have the first word.
    if (late && !this.#lookedAgain) {
      this.#lookedAgain = true
      this.#outside(() => setImmediate(() => setImmediate(() => this.#expire())))
      return
    }
    this.#lookedAgain = false
    for (let first = firstOf(this.#waiting); first !== undefined; first = firstOf(this.#waiting)) {
      if (first.deadlineAt > now) return this.#arm(Math.ceil(first.deadlineAt - now))
      if (first.deadlineAt > 0) this.#abort(first, this.#options.timeoutError())
      else {
        remove(first)
        insert(first, this.#answered)
      }
    }
  }

  #abort(call: CallUnderWay, error: Error): void {
    // Whatever its handlers do, it is not met again.
    remove(call)
    try {
      call.abort(error)
    } catch (thrown) {
      // Of its own handler: no affair of the other calls', nor to be swallowed.
      queueMicrotask(() => {
        throw thrown
      })
    }
  }
}

const lateMs = 100

// A ring with one node that is no call, so that there is no first or last case.
function emptyRing(): CallUnderWay {
  const ring: CallUnderWay = { before: undefined, after: undefined, deadlineAt: 0, abort: () => {} }
  ring.before = ring
  ring.after = ring
  return ring
}

function firstOf(ring: CallUnderWay): CallUnderWay | undefined {
  return ring.after === ring ? undefined : ring.after
}

function insert(call: CallUnderWay, ring: CallUnderWay): void {
  const last = ring.before ?? ring
  call.before = last
  call.after = ring
  last.after = call
  ring.before = call
}

function remove(call: CallUnderWay): void {
  const { before, after } = call
  if (before === undefined || after === undefined) return
  before.after = after
  after.before = before
  call.before = undefined
  call.after = undefined
}
