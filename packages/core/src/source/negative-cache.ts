import type { Clock } from '../clock.ts'
import { TokenwellError } from '../errors.ts'
import { failurePauseMs } from './backoff.ts'
import { BoundedMap } from './bounded-map.ts'
import { failureKind } from './failure.ts'

/** What a negative cache stands on. */
export interface NegativeCacheOptions {
  readonly clock: Clock
  readonly random: () => number
  /** Longest time a failure is remembered, in milliseconds; 0 remembers none. */
  readonly maxPauseMs: number
}

interface Entry {
  readonly error: TokenwellError
  readonly failures: number
  /** On the monotonic clock. */
  readonly until: number
  /** The same on the wall clock, for the caller. */
  readonly retryAt: number
  /** After `until` one request is let through to see whether things are better; until it ends, others are not. */
  trial: boolean
}

/**
 * Refusals and trouble, remembered for a while, so that callers without a token do not become a storm of token requests.
 * On two levels: a refused credential stands in the way of everything that this client asks for, anything else only in
 * the way of the same request.
 */
export class NegativeCache {
  readonly #options: NegativeCacheOptions
  readonly #byKey = new BoundedMap<Entry>(1000)
  #ofClient: Entry | undefined

  constructor(options: NegativeCacheOptions) {
    this.#options = options
  }

  /**
   * Why not to ask for this key now: a remembered error, made anew. Undefined lets the request through, and it must be
   * followed by `settle`.
   */
  refusal(key: string): TokenwellError | undefined {
    const own = this.#byKey.peek(key)
    const standing = [this.#ofClient, own].find((entry) => entry !== undefined && this.#stands(entry))
    if (standing !== undefined) {
      return standing.error.reissue({ fromCache: true, retryAt: standing.retryAt })
    }
    if (this.#ofClient !== undefined) this.#ofClient.trial = true
    if (own !== undefined) own.trial = true
    return undefined
  }

  /**
   * How a request that was let through ended: without an error, or with one. Only `remember` keeps the error; without it
   * a usable token is at hand and the failure is nobody's.
   */
  settle(key: string, error: unknown, remember: boolean): void {
    const own = this.#byKey.peek(key)
    const ofClient = this.#ofClient
    if (own !== undefined) own.trial = false
    if (ofClient !== undefined) ofClient.trial = false
    if (error === undefined) {
      this.#ofClient = undefined
      this.#byKey.delete(key)
      return
    }
    const kind = failureKind(error)
    if (!remember || kind === 'local' || !(error instanceof TokenwellError)) return
    const before = kind === 'credential' ? ofClient : own
    const entry = this.#entry(error, kind, (before?.failures ?? 0) + 1)
    if (entry === undefined) return
    if (kind === 'credential') this.#ofClient = entry
    else this.#byKey.set(key, entry)
  }

  clear(): void {
    this.#ofClient = undefined
    this.#byKey.clear()
  }

  #stands({ until, trial }: Entry): boolean {
    return trial || this.#options.clock.monotonic() < until
  }

  #entry(error: TokenwellError, kind: 'transient' | 'credential' | 'request', failures: number): Entry | undefined {
    const { clock, random, maxPauseMs } = this.#options
    const retryAfterMs = error.retryAt === undefined ? undefined : error.retryAt - clock.now()
    const pauseMs = Math.min(failurePauseMs({ kind, failures, retryAfterMs }, random), maxPauseMs)
    if (pauseMs <= 0) return undefined
    return { error, failures, until: clock.monotonic() + pauseMs, retryAt: clock.now() + pauseMs, trial: false }
  }
}
