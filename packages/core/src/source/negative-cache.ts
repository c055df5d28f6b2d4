import type { Clock } from '../clock.ts'
import { TokenwellError } from '../errors.ts'
import { failurePauseMs } from './backoff.ts'
import { BoundedMap } from './bounded-map.ts'
import { CredentialTrail } from './credential-trail.ts'
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
  /** Of the credential, those that were refused; none where it is not the credential, or one that cannot change. */
  readonly versions: ReadonlySet<string>
  readonly failures: number
  /** On the monotonic clock. */
  readonly until: number
  /** The same on the wall clock, for the caller. */
  readonly retryAt: number
  /** After `until` one request is let through to see whether things are better; until it ends, others are not. */
  trial: boolean
}

// A credential that is another one each time it is read would make a request of each call, and each the first failure.
const maxVersions = 8

/** How a request that was let through ended. */
export interface Settlement {
  /** Undefined when it went well. */
  readonly error: unknown
  /** False when a usable token is at hand: then the failure is nobody's. */
  readonly remember: boolean
  /** True when it was asked for one of many subjects. */
  readonly ofOne?: boolean
  readonly trail: CredentialTrail
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
   * Lets a request for this key through, which must be followed by `settle`, or throws a remembered error, made anew.
   * While a refused credential is remembered one request at a time is let through, and ends before anything is sent unless
   * there is another credential by then.
   */
  admit(key: string): CredentialTrail {
    const own = this.#byKey.peek(key)
    const ofClient = this.#ofClient
    const refused = ofClient !== undefined && this.#stands(ofClient)
    const mayHaveChanged =
      refused && !ofClient.trial && ofClient.versions.size > 0 && ofClient.versions.size <= maxVersions
    if (refused && !mayHaveChanged) throw told(ofClient)
    if (own !== undefined && this.#stands(own)) throw told(own)
    if (ofClient !== undefined) ofClient.trial = true
    if (own !== undefined) own.trial = true
    return new CredentialTrail(refused ? { versions: ofClient.versions, error: told(ofClient) } : undefined)
  }

  /** How a request that was let through ended. */
  settle(key: string, { error, remember, ofOne, trail }: Settlement): void {
    const own = this.#byKey.peek(key)
    const before = this.#ofClient
    if (own !== undefined) own.trial = false
    if (before !== undefined) before.trial = false
    const replaced = trail.version !== undefined && before?.versions.has(trail.version) === false
    if (error === undefined || replaced) this.#ofClient = undefined
    if (error === undefined) {
      this.#byKey.delete(key)
      return
    }
    const kind = failureKind(error, ofOne)
    if (!remember || kind === 'local' || !(error instanceof TokenwellError)) return
    if (kind === 'credential') {
      // One from here was remembered before.
      if (error.fromCache) return
      const all = new Set([...(before?.versions ?? []), ...trail.refused])
      const versions = new Set([...all].slice(-maxVersions - 1))
      // With another credential it is the first failure again, unless there are too many of them.
      const isOther = all.size !== before?.versions.size && all.size <= maxVersions
      const failures = isOther ? 1 : (before?.failures ?? 0) + 1
      this.#ofClient = this.#entry(error, kind, failures, versions)
    } else {
      const entry = this.#entry(error, kind, (own?.failures ?? 0) + 1, new Set())
      if (entry !== undefined) this.#byKey.set(key, entry)
    }
  }

  clear(): void {
    this.#ofClient = undefined
    this.#byKey.clear()
  }

  #stands({ until, trial }: Entry): boolean {
    return trial || this.#options.clock.monotonic() < until
  }

  #entry(
    error: TokenwellError,
    kind: 'transient' | 'credential' | 'request',
    failures: number,
    versions: Entry['versions'],
  ): Entry | undefined {
    const { clock, random, maxPauseMs } = this.#options
    const retryAfterMs = error.retryAt === undefined ? undefined : error.retryAt - clock.now()
    const pauseMs = Math.min(failurePauseMs({ kind, failures, retryAfterMs }, random), maxPauseMs)
    if (pauseMs <= 0) return undefined
    return {
      error,
      versions,
      failures,
      until: clock.monotonic() + pauseMs,
      retryAt: clock.now() + pauseMs,
      trial: false,
    }
  }
}

function told({ error, retryAt }: Entry): TokenwellError {
  return error.reissue({ fromCache: true, retryAt })
}
