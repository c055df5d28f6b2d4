import type { Clock } from '../clock.ts'
import type { CallContext } from '../context/call-context.ts'
import type { TokenParameters } from '../grants/grant.ts'
import type { AccessToken } from '../oauth/access-token.ts'
import { nextRenewalAge } from './backoff.ts'
import { BoundedMap } from './bounded-map.ts'
import { closedError, Flights, type Flight } from './coalescing.ts'
import { ageMs, stateAt } from './lifetime.ts'
import { memoryTokenCache, type MemoryTokenCache } from './memory-token-cache.ts'
import type { CachedToken, TokenCache } from './token-cache.ts'
import type { GetTokenOptions, TokenSource } from './token-source.ts'

/** A token just issued. Without a lifetime it is for those who wait for it now, and is not kept. */
export interface IssuedToken {
  readonly token: AccessToken
  readonly lifetime: CachedToken['lifetime'] | undefined
}

/** One combination of parameters, with its token key. */
export interface TokenPlan {
  readonly key: string
  readonly parameters: TokenParameters
}

/** What a caching source stands on. */
export interface CachingSourceOptions {
  readonly upstream: string | undefined
  readonly clock: Clock
  readonly cache: TokenCache
  readonly timeoutMs: number
  readonly maxFlights: number
  readonly random: () => number
  /** What a call with this context asks for. Cheap: it is called for each call. */
  planOf(context: CallContext | undefined): TokenPlan
  /** Asks the authorization server. */
  issue(plan: TokenPlan, signal: AbortSignal): Promise<IssuedToken>
  close(): Promise<void>
}

interface Renewal {
  /** The token that is to be replaced. */
  readonly generation: string
  readonly failures: number
  /** Age of the token at which the next attempt is due. */
  readonly dueAge: number
}

/** A token source that keeps tokens while they live and replaces them before they die. */
export class CachingSource implements TokenSource {
  readonly #options: CachingSourceOptions
  readonly #memory: MemoryTokenCache
  readonly #shared: TokenCache | undefined
  readonly #flights: Flights<AccessToken>
  readonly #renewals = new BoundedMap<Renewal>(1000)
  readonly #keys = new WeakMap<AccessToken, string>()
  #closed = false

  constructor(options: CachingSourceOptions) {
    this.#options = options
    this.#memory = isMemoryCache(options.cache) ? options.cache : memoryTokenCache()
    this.#shared = isMemoryCache(options.cache) ? undefined : options.cache
    this.#flights = new Flights(options)
  }

  peek(context?: CallContext): AccessToken | undefined {
    const entry = this.#memory.peek(this.#options.planOf(context).key)
    return entry !== undefined && !this.#closed && this.#stateOf(entry) === 'fresh' ? entry.token : undefined
  }

  get(options: GetTokenOptions = {}): Promise<AccessToken> {
    const { context, signal, forceRenewal = false } = options
    if (this.#closed) return Promise.reject(closedError(this.#options.upstream))
    if (signal?.aborted === true) return Promise.reject(signal.reason)
    try {
      const plan = this.#options.planOf(context)
      if (forceRenewal) return this.#flights.wait(this.#forcedFlight(plan), signal)
      const entry = this.#memory.get(plan.key)
      const state = entry === undefined ? 'expired' : this.#stateOf(entry)
      if (entry !== undefined && state !== 'expired') {
        if (state === 'stale') this.#renewInBackground(plan, entry)
        return Promise.resolve(entry.token)
      }
      return this.#flights.wait(this.#flights.get(plan.key) ?? this.#startFlight(plan, false), signal)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  invalidate(token: AccessToken): boolean {
    const key = this.#keys.get(token)
    if (key === undefined) return false
    if (this.#shared !== undefined) void this.#sharedTier((cache) => cache.delete(key, token.generation))
    const removed = this.#memory.delete(key, token.generation)
    // What was asked for before the refusal may bring back what was just refused.
    if (removed) this.#flights.detach(key)
    return removed
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#flights.close()
    this.#renewals.clear()
    await this.#options.close()
  }

  #stateOf({ lifetime }: CachedToken) {
    const { clock } = this.#options
    return stateAt(lifetime, ageMs(lifetime, clock.now(), clock.monotonic()))
  }

  #forcedFlight(plan: TokenPlan): Flight<AccessToken> {
    const current = this.#flights.get(plan.key)
    return current?.forced === true ? current : this.#startFlight(plan, true)
  }

  #renewInBackground(plan: TokenPlan, { token, lifetime }: CachedToken): void {
    const { clock, random } = this.#options
    if (this.#flights.get(plan.key) !== undefined) return
    const age = () => ageMs(lifetime, clock.now(), clock.monotonic())
    const last = this.#renewals.peek(plan.key)
    const failed = last?.generation === token.generation ? last : undefined
    if (failed !== undefined && age() < failed.dueAge) return
    const failures = (failed?.failures ?? 0) + 1
    const backOff = () => {
      const dueAge = nextRenewalAge({ lifetime, ageMs: age(), failures }, random)
      this.#renewals.set(plan.key, { generation: token.generation, failures, dueAge })
    }
    this.#startFlight(plan, false).promise.then((renewed) => {
      // Some servers hand out the same token until late in its life: asking again at once would not change that.
      if (renewed.expiresAt <= token.expiresAt) backOff()
    }, backOff)
  }

  #startFlight(plan: TokenPlan, forced: boolean): Flight<AccessToken> {
    const flight = this.#flights.start(plan.key, forced, async (signal) => {
      const known = forced ? undefined : await this.#fromShared(plan.key)
      const issued = known ?? (await this.#options.issue(plan, signal))
      // A flight that was detached answers those who wait for it and leaves no trace.
      if (this.#flights.get(plan.key) === flight && (forced || !this.#isOutlived(plan.key, issued.token))) {
        this.#keep(plan.key, issued, known === undefined)
      }
      return issued.token
    })
    return flight
  }

  /** Is the token at hand good for longer than this one? */
  #isOutlived(key: string, token: AccessToken): boolean {
    const held = this.#memory.peek(key)
    return held !== undefined && this.#stateOf(held) !== 'expired' && held.token.expiresAt >= token.expiresAt
  }

  #keep(key: string, { token, lifetime }: IssuedToken, isNew: boolean): void {
    if (lifetime === undefined) return
    const entry = { token, lifetime }
    this.#keys.set(token, key)
    this.#memory.set(key, entry)
    this.#renewals.delete(key)
    if (isNew && this.#shared !== undefined) void this.#sharedTier((cache) => cache.set(key, entry))
  }

  async #fromShared(key: string): Promise<CachedToken | undefined> {
    if (this.#shared === undefined) return undefined
    const entry = await this.#sharedTier((cache) => cache.get(key))
    return entry !== undefined && this.#stateOf(entry) === 'fresh' ? entry : undefined
  }

  // A shared cache saves token requests; without it everything still works, so its failures are not the caller's.
  async #sharedTier<T>(operation: (cache: TokenCache) => T | Promise<T>): Promise<T | undefined> {
    try {
      return this.#shared === undefined ? undefined : await operation(this.#shared)
    } catch {
      return undefined
    }
  }
}

function isMemoryCache(cache: TokenCache): cache is MemoryTokenCache {
  return typeof cache.peek === 'function'
}
