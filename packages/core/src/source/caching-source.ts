import type { Clock } from '../clock.ts'
import type { CallContext } from '../context/call-context.ts'
import { tokenHit, type TokenRenewalEvent } from '../diagnostics/channels.ts'
import { Notices, type NoticeLog } from '../diagnostics/notices.ts'
import { TokenEvents } from '../diagnostics/token-events.ts'
import { TokenwellError } from '../errors.ts'
import type { AccessToken } from '../oauth/access-token.ts'
import { BoundedMap } from './bounded-map.ts'
import { closedError, Flights, type Flight } from './coalescing.ts'
import type { CredentialTrail } from './credential-trail.ts'
import type { DpopProofs } from './dpop-proofs.ts'
import { FleetTurns } from './fleet-turns.ts'
import { RequestOutcomes, type Health } from './health.ts'
import type { RenewalOptions } from './lifetime.ts'
import { memoryTokenCache, type MemoryTokenCache } from './memory-token-cache.ts'
import { NegativeCache } from './negative-cache.ts'
import { RecentClock } from './recent-clock.ts'
import { RenewalSchedule } from './renewal-schedule.ts'
import { withRetries } from './retrying.ts'
import { askInTurn, type Ask } from './shared-request.ts'
import { SharedTier } from './shared-tier.ts'
import { Sweeper } from './sweeper.ts'
import type { CachedToken, TokenCache } from './token-cache.ts'
import type { IssuedToken, TokenAttempt, TokenPlan } from './token-plan.ts'
import type { GetTokenOptions, TokenSource } from './token-source.ts'
import { TokenTrouble } from './token-trouble.ts'
import { TokensAtHand } from './tokens-at-hand.ts'

/** What a caching source stands on. */
export interface CachingSourceOptions {
  readonly upstream: string | undefined
  /** Whose tokens they are, where tenants have their own. */
  readonly tenant?: string | undefined
  readonly log?: NoticeLog | undefined
  readonly clock: Clock
  readonly cache: TokenCache
  readonly dpop: DpopProofs | undefined
  /** Default false. */
  readonly contextual?: boolean | undefined
  readonly renewal: RenewalOptions
  readonly timeoutMs: number
  readonly maxFlights: number
  readonly random: () => number
  /** What a call with this context asks for. Cheap: it is called for each call. */
  planOf(context: CallContext | undefined): TokenPlan
  /** Told when a token for this plan is at hand under another key, where it is to be looked for from now on. */
  moved?(plan: TokenPlan, key: string): void
  /** The key of the token that would come now, where what it is bound to is read anew each time. */
  keyNow?(plan: TokenPlan): Promise<string>
  /** Asks the authorization server. */
  issue(plan: TokenPlan, attempt: TokenAttempt): Promise<IssuedToken>
  close(): Promise<void>
}

const nobodyAsked = new Error('the authorization server was not asked')

// A token at hand gives the next attempt time; callers who have none wait for up to three.
const foregroundAttempts = 3

/** A token source that keeps tokens while they live and replaces them before they die. */
export class CachingSource implements TokenSource {
  readonly dpop: DpopProofs | undefined
  readonly contextual: boolean
  readonly #options: CachingSourceOptions
  readonly #memory: MemoryTokenCache
  readonly #tokens: TokensAtHand
  readonly #shared: SharedTier | undefined
  readonly #fleet: FleetTurns | undefined
  readonly #flights: Flights<AccessToken>
  readonly #failures: NegativeCache
  readonly #schedule: RenewalSchedule
  readonly #outcomes: RequestOutcomes
  readonly #recent: RecentClock
  readonly #events: TokenEvents
  readonly #notices: Notices
  readonly #trouble: TokenTrouble
  readonly #rejected = new BoundedMap<true>(1000)
  readonly #sweeper: Sweeper
  #closed = false

  constructor(options: CachingSourceOptions) {
    const { cache, clock, random, renewal } = options
    this.#options = options
    this.dpop = options.dpop
    this.contextual = options.contextual ?? false
    const { upstream, tenant } = options
    this.#events = new TokenEvents(upstream, clock)
    this.#notices = new Notices(clock, options.log)
    this.#trouble = new TokenTrouble(this.#notices, { upstream, tenant })
    const notices = this.#notices
    const tokenType = options.dpop === undefined ? 'Bearer' : 'DPoP'
    this.#shared = isMemoryCache(cache) ? undefined : new SharedTier({ cache, clock, tokenType, upstream, notices })
    this.#memory = isMemoryCache(cache) ? cache : memoryTokenCache()
    this.#tokens = new TokensAtHand({ memory: this.#memory, clock, staleIfErrorMs: renewal.staleIfErrorMs ?? 0 })
    // A lease outlives the token request, whatever becomes of that.
    const leaseMs = options.timeoutMs + 2000
    const shared = this.#shared
    this.#fleet = shared === undefined ? undefined : new FleetTurns({ shared, clock, random, leaseMs, upstream })
    this.#flights = new Flights(options)
    this.#failures = new NegativeCache({ clock, random, maxPauseMs: renewal.maxFailurePauseMs ?? 60_000 })
    this.#schedule = new RenewalSchedule({
      tokens: this.#tokens,
      clock,
      random,
      keepWarm: renewal.keepWarm === true,
      renew: (plan, held) => this.#renewInBackground(plan, held),
    })
    this.#recent = new RecentClock(clock)
    this.#outcomes = new RequestOutcomes({
      clock,
      contextual: this.contextual,
      serves: (key) => this.#tokens.lastResort(key) !== undefined,
      isForAll: (key) => this.#isForAll(key),
    })
    this.#sweeper = new Sweeper(clock, () => this.#memory.sweep((entry) => this.#tokens.isDead(entry)))
  }

  peek(context?: CallContext): AccessToken | undefined {
    if (!tokenHit.hasSubscribers) return this.#peek(context)
    const began = this.#options.clock.monotonic()
    const token = this.#peek(context)
    if (token !== undefined) this.#events.hit('hit_l1', token, began)
    return token
  }

  #peek(context: CallContext | undefined): AccessToken | undefined {
    let entry: CachedToken | undefined
    try {
      entry = this.#memory.peek(this.#options.planOf(context).key)
    } catch {
      // A context that lacks something. Whoever asks for a token is told.
      return undefined
    }
    return entry !== undefined && !this.#closed && this.#recent.isFresh(entry.lifetime) ? entry.token : undefined
  }

  get({ context, signal, forceRenewal = false }: GetTokenOptions = {}): Promise<AccessToken> {
    if (this.#closed) return Promise.reject(closedError(this.#options.upstream))
    if (signal?.aborted === true) return Promise.reject(signal.reason)
    const began = tokenHit.hasSubscribers ? this.#options.clock.monotonic() : undefined
    try {
      const plan = this.#options.planOf(context)
      if (forceRenewal) return this.#acquire(plan, context, () => this.#wait(plan, signal, true))
      const held = this.#memory.get(plan.key)
      const state = held === undefined ? 'expired' : this.#tokens.stateOf(held)
      if (held !== undefined && state !== 'expired') {
        if (state === 'stale') this.#renewInBackground(plan, held)
        if (began !== undefined) this.#events.hit(state === 'stale' ? 'stale' : 'hit_l1', held.token, began)
        if (this.#notices.stands) this.#notices.tell(context?.log)
        return Promise.resolve(held.token)
      }
      return this.#acquire(plan, context, () => this.#orAtHand(plan, this.#wait(plan, signal, false), signal))
    } catch (error) {
      return Promise.reject(error)
    }
  }

  invalidate(token: AccessToken): boolean {
    const key = this.#memory.keyOf(token)
    if (key === undefined) return false
    void this.#shared?.delete(key, token.generation)
    const removed = this.#memory.delete(key, token.generation)
    // What was asked for before the refusal may bring back what was just refused.
    if (removed) {
      this.#flights.detach(key)
      this.#rejected.set(key, true)
    }
    return removed
  }

  health(): Health {
    const { upstream } = this.#options
    return this.#closed ? { status: 'down', error: closedError(upstream) } : this.#outcomes.health(upstream)
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#flights.close()
    this.#schedule.clear()
    this.#sweeper.stop()
    this.#failures.clear()
    await this.#fleet?.settled()
    await this.#options.close()
  }

  /** Do calls without a context of their own ask for the same? */
  #isForAll(key: string): boolean {
    try {
      return this.#options.planOf(undefined).key === key
    } catch {
      return false
    }
  }

  /** The flight of this key: the one under way, or a new one unless a failure is remembered. */
  #join(plan: TokenPlan, forced: boolean): Flight<AccessToken> {
    const current = this.#flights.get(plan.key)
    if (current !== undefined && (!forced || current.forced)) return current
    return this.#start(plan, forced, this.#admit(plan.key))
  }

  #admit(key: string): CredentialTrail {
    try {
      return this.#failures.admit(key)
    } catch (error) {
      throw error instanceof TokenwellError ? error.reissue({ upstream: this.#options.upstream }) : error
    }
  }

  // The token at hand is good, so nothing that goes wrong here is the caller's, not even having no room for a request.
  #renewInBackground(plan: TokenPlan, held: CachedToken): void {
    if (this.#closed || this.#flights.get(plan.key) !== undefined) return
    if (!this.#schedule.isDue(plan, held)) return
    try {
      this.#join(plan, false)
    } catch {
      this.#schedule.backOff(plan, held)
    }
  }

  #start(plan: TokenPlan, forced: boolean, trail: CredentialTrail): Flight<AccessToken> {
    const { clock, random, timeoutMs } = this.#options
    // Asked after each attempt: the token at hand may have died meanwhile, and callers be waiting.
    const atHand = () => this.#tokens.usable(plan.key) !== undefined
    const attempts = () => (atHand() || !trail.mayTryAgain ? 1 : foregroundAttempts)
    const retries = { clock, random, attempts, timeoutMs, attemptTimeoutMs: timeoutMs / 2 }
    try {
      const work = async (signal: AbortSignal, event: TokenRenewalEvent | undefined): Promise<AccessToken> => {
        const attempt = (oneSignal: AbortSignal) =>
          this.#options.issue(plan, { signal: oneSignal, trail, tokenAtHand: atHand() })
        const ask: Ask = async (failed) => {
          const watched = (oneSignal: AbortSignal) => {
            const issued = attempt(oneSignal)
            if (failed !== undefined) issued.catch(failed)
            return issued
          }
          const issued = await withRetries(watched, { ...retries, signal })
          this.#trouble.served(() => this.#isForAll(plan.key))
          return issued
        }
        // A flight that was detached answers those who wait for it and leaves no trace.
        const receive = (issued: IssuedToken): CachedToken | undefined => {
          this.#failures.settle(plan.key, { error: undefined, remember: false, trail })
          return this.#flights.get(plan.key) === flight ? this.#receive(plan, issued, forced) : undefined
        }
        const fleet = this.#fleet
        if (fleet !== undefined) {
          const makeDo = (held: CachedToken) => {
            this.#failures.settle(plan.key, { error: nobodyAsked, remember: false, trail })
            this.#schedule.backOff(plan, held)
          }
          const adopt = (key: string, entry: CachedToken) => {
            if (!this.#closed && this.#tokens.stateOf(entry) === 'fresh') this.#keep({ ...plan, key }, entry)
          }
          const keyNow = () => this.#options.keyNow?.(plan)
          const about = { key: plan.key, keyNow, forced, signal, event }
          return fleet.during(askInTurn(fleet, this.#tokens, { ...about, ask, receive, makeDo, adopt }))
        }
        const issued = await ask()
        receive(issued)
        return issued.token
      }
      const reason = this.#reasonFor(plan.key, forced)
      const flight = this.#flights.start(plan.key, forced, this.#events.renewal(plan.key, reason, work))
      flight.promise.catch((error: unknown) => this.#fail(plan, error, trail))
      this.#outcomes.follow(plan.key, plan.context !== undefined, flight.promise)
      return flight
    } catch (error) {
      this.#failures.settle(plan.key, { error, remember: false, trail })
      throw error
    }
  }

  #fail(plan: TokenPlan, error: unknown, trail: CredentialTrail): void {
    if (this.#closed) return
    const held = this.#tokens.usable(plan.key)
    this.#failures.settle(plan.key, { error, remember: held === undefined, ofOne: plan.context !== undefined, trail })
    this.#trouble.failed({
      error,
      held: held && { entry: held, usableMs: held.lifetime.usableForMs - this.#tokens.ageOf(held) },
      isForAll: () => this.#isForAll(plan.key),
    })
    if (held !== undefined) this.#schedule.backOff(plan, held)
  }

  /** Why another token is asked for. */
  #reasonFor(key: string, forced: boolean): TokenRenewalEvent['reason'] {
    const wasRejected = this.#rejected.delete(key)
    if (forced || wasRejected) return forced ? 'forced' : 'rejected'
    const held = this.#memory.peek(key)
    if (held === undefined) return 'initial'
    return this.#tokens.stateOf(held) === 'expired' ? 'expired' : 'stale'
  }

  /** One call's wait, told to whoever listens; and what is the matter, to the call's own log. */
  #acquire(
    { key }: TokenPlan,
    context: CallContext | undefined,
    wait: () => Promise<AccessToken>,
  ): Promise<AccessToken> {
    const promise = this.#events.acquire(key, wait)
    if (context?.log !== undefined) promise.catch(() => this.#notices.tell(context.log))
    return promise
  }

  /** What is kept of what came, if anything. */
  #receive(asked: TokenPlan, issued: IssuedToken, forced: boolean): CachedToken | undefined {
    const { token, lifetime, key = asked.key } = issued
    const plan = { ...asked, key }
    const held = this.#tokens.usable(key)
    const entry = lifetime === undefined ? undefined : { token, lifetime }
    if (held !== undefined && (entry === undefined || !this.#tokens.isBetter(entry, held, forced))) {
      this.#options.moved?.(plan, key)
      this.#schedule.backOff(plan, held)
      return undefined
    }
    if (entry !== undefined) this.#keep(plan, entry)
    return entry
  }

  #keep(plan: TokenPlan, entry: CachedToken): void {
    this.#memory.set(plan.key, entry)
    this.#options.moved?.(plan, plan.key)
    this.#sweeper.start()
    this.#schedule.begin(plan, entry)
  }

  #wait(plan: TokenPlan, signal: AbortSignal | undefined, forced: boolean): Promise<AccessToken> {
    try {
      return this.#flights.wait(this.#join(plan, forced), signal)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  // A token may have come some other way meanwhile, or the expired one be good enough for those who opted for that.
  #orAtHand(plan: TokenPlan, wait: Promise<AccessToken>, signal: AbortSignal | undefined): Promise<AccessToken> {
    return wait.catch((error: unknown) => {
      if (signal?.aborted === true || this.#closed) throw error
      const entry = this.#tokens.lastResort(plan.key)
      if (entry === undefined) throw error
      return entry.token
    })
  }
}

function isMemoryCache(cache: TokenCache): cache is MemoryTokenCache {
  return typeof cache.peek === 'function'
}
