import { AsyncLocalStorage } from 'node:async_hooks'
import type { Clock } from '../clock.ts'
import { OverloadError, TokenEndpointUnreachableError, TokenwellError, UpstreamClosedError } from '../errors.ts'

/** Work that many callers wait for. It must end when `signal` aborts. */
export type SharedWork<Result> = (signal: AbortSignal) => Promise<Result>

/** One piece of shared work under way. */
export interface Flight<Result> {
  readonly promise: Promise<Result>
  /** True if it was started to replace a token on purpose. */
  readonly forced: boolean
}

/** Options of {@link Flights}. */
export interface FlightsOptions {
  readonly clock: Clock
  readonly timeoutMs: number
  readonly maxFlights: number
  readonly upstream: string | undefined
}

// The work outlives the call that happened to start it, so it must not run in that call's AsyncLocalStorage: its trace,
// tenant and logger are nobody else's. Taken when the module is loaded, which is outside every call.
const outsideEveryCall = AsyncLocalStorage.snapshot()

/** At most one piece of work per key: whoever comes while it is under way waits for the same one. */
export class Flights<Result> {
  readonly #flights = new Map<string, Flight<Result>>()
  readonly #controllers = new Set<AbortController>()
  readonly #options: FlightsOptions
  #closed = false

  constructor(options: FlightsOptions) {
    this.#options = options
  }

  get(key: string): Flight<Result> | undefined {
    return this.#flights.get(key)
  }

  /** Lets a flight end without anybody joining it any more. */
  detach(key: string): void {
    this.#flights.delete(key)
  }

  /** Starts work for `key`. It is registered before the first of its instructions runs. */
  start(key: string, forced: boolean, work: SharedWork<Result>): Flight<Result> {
    const { upstream, maxFlights, timeoutMs, clock } = this.#options
    if (this.#closed) throw closedError(upstream)
    if (this.#controllers.size >= maxFlights) {
      throw new OverloadError('too many token requests are under way', { upstream })
    }
    const controller = new AbortController()
    const { promise, resolve, reject } = Promise.withResolvers<Result>()
    const flight: Flight<Result> = Object.freeze({ promise, forced })
    this.#flights.set(key, flight)
    this.#controllers.add(controller)
    const onAbort = () => reject(controller.signal.reason)
    controller.signal.addEventListener('abort', onAbort, { once: true })
    outsideEveryCall(() => {
      const cancelTimer = clock.setTimer(() => controller.abort(timeoutError(upstream, timeoutMs)), timeoutMs)
      const settle = () => {
        cancelTimer()
        controller.signal.removeEventListener('abort', onAbort)
        this.#controllers.delete(controller)
        if (this.#flights.get(key) === flight) this.#flights.delete(key)
      }
      // Handled here too, since nobody may be waiting: a background renewal, or all callers gave up.
      promise.then(settle, settle)
      void work(controller.signal).then(resolve, reject)
    })
    return flight
  }

  /**
   * One caller's wait for a flight: `signal` ends the wait, not the work. A failure is this caller's own error object and
   * names the upstream.
   */
  wait(flight: Flight<Result>, signal: AbortSignal | undefined): Promise<Result> {
    if (signal?.aborted === true) return Promise.reject(signal.reason)
    const { upstream } = this.#options
    // One promise for a wait that a signal may end: a thousand first calls make a thousand of these.
    return new Promise((resolve, reject) => {
      const onAbort = () => reject(signal?.reason)
      const forget = () => signal?.removeEventListener('abort', onAbort)
      signal?.addEventListener('abort', onAbort, { once: true })
      flight.promise.then(
        (result) => {
          forget()
          resolve(result)
        },
        (error: unknown) => {
          forget()
          reject(error instanceof TokenwellError ? error.reissue({ upstream }) : error)
        },
      )
    })
  }

  /** Ends all work; every waiter is told that the source was closed. */
  close(): void {
    this.#closed = true
    const reason = closedError(this.#options.upstream)
    for (const controller of this.#controllers) controller.abort(reason)
    this.#flights.clear()
  }
}

/** The error of a closed source. */
export function closedError(upstream: string | undefined): UpstreamClosedError {
  return new UpstreamClosedError('it was closed', { upstream })
}

function timeoutError(upstream: string | undefined, timeoutMs: number): TokenEndpointUnreachableError {
  return new TokenEndpointUnreachableError('the authorization server did not answer in time', {
    upstream,
    cause: new Error(`no token after ${timeoutMs} ms`),
  })
}
