import type { Clock } from '../clock.ts'
import { tracedLeaseWait } from '../diagnostics/cache-events.ts'
import type { LeaseWaitEvent } from '../diagnostics/channels.ts'
import { TokenEndpointUnreachableError, type TokenwellError } from '../errors.ts'
import { failureKind } from './failure.ts'
import { pause } from './retrying.ts'
import type { SharedTier } from './shared-tier.ts'
import type { CachedToken, TokenLease } from './token-cache.ts'

const longestWaitMs = 2000
const longestPauseMs = 60_000

/** What decides how one token request goes about a cache that other processes have too. */
export interface TurnOptions {
  readonly key: string
  /** Asks the authorization server whatever the cache has. */
  readonly forced: boolean
  readonly signal: AbortSignal
  /** Is what the cache has good enough? */
  readonly suits: (entry: CachedToken) => boolean
  /** Does anybody wait? If not, that another process asks is enough. */
  readonly awaited: () => boolean
}

/** What came of asking the fleet. */
export type Turn =
  /** Another process has got one. */
  | { readonly outcome: 'found'; readonly entry: CachedToken }
  /** Another process is about to, and nobody waits. */
  | { readonly outcome: 'busy' }
  /** The authorization server asked to be left alone. */
  | { readonly outcome: 'paused'; readonly error: TokenwellError }
  /** This process asks. Must be followed by `done`. */
  | { readonly outcome: 'ask'; readonly lease: TokenLease | undefined }

/** What {@link FleetTurns} stands on. */
export interface FleetTurnsOptions {
  readonly shared: SharedTier
  readonly clock: Clock
  readonly random: () => number
  /** Longer than any token request takes. */
  readonly leaseMs: number
  /** Told in events. */
  readonly upstream: string | undefined
}

/**
 * The order in which a fleet shares a token: what the cache has, a lease, what the cache has by then, the authorization
 * server. Who waits does so for 2 s at most, and then asks without the lease.
 */
export class FleetTurns {
  readonly #shared: SharedTier
  readonly #clock: Clock
  readonly #random: () => number
  readonly #leaseMs: number
  readonly #upstream: string | undefined
  readonly #open = new Set<Promise<unknown>>()

  constructor({ shared, clock, random, leaseMs, upstream }: FleetTurnsOptions) {
    this.#shared = shared
    this.#clock = clock
    this.#random = random
    this.#leaseMs = leaseMs
    this.#upstream = upstream
  }

  /** Rejects only when `signal` aborts. */
  async take(options: TurnOptions): Promise<Turn> {
    try {
      return await this.#take(options)
    } catch {
      options.signal.throwIfAborted()
      return { outcome: 'ask', lease: undefined }
    }
  }

  /** Tells the fleet of a token, or that there is none to tell of. `adopt` gets what the cache holds on to instead. */
  done(key: string, lease: TokenLease | undefined, entry: CachedToken | undefined, adopt: Adopt): void {
    this.#track(async () => {
      // Where there are leases, one that could not be got means that it cannot be said how old this token is.
      const writes = entry !== undefined && (lease !== undefined || !this.#shared.hasLeases)
      const other = writes ? await this.#shared.set(key, entry, lease).catch(() => undefined) : undefined
      if (other !== undefined) adopt(other)
      if (lease !== undefined) await this.#shared.release(key, lease)
    })
  }

  /**
   * An attempt failed, be it the last one or not. Of that, the fleet hears when the server wants to be asked again, and no
   * more: what is wrong with this process must not stop the others.
   */
  failed(key: string, error: unknown): void {
    const { retryAt } = (error ?? {}) as { readonly retryAt?: number }
    if (!this.#shared.hasLeases || retryAt === undefined || failureKind(error) !== 'transient') return
    const pauseMs = Math.min(retryAt - this.#clock.now(), longestPauseMs)
    if (pauseMs > 0) this.#track(() => this.#shared.pause(key, pauseMs))
  }

  /** A token under another key than that of the turn. */
  set(key: string, entry: CachedToken): void {
    this.#track(() => this.#shared.set(key, entry))
  }

  /** Counts a turn as under way, from before it is taken until it has ended. */
  during<Result>(turn: Promise<Result>): Promise<Result> {
    this.#track(() => turn)
    return turn
  }

  /** When no turn is under way, and the cache has heard everything that it was to be told. */
  async settled(): Promise<void> {
    // A turn that ends may leave something to tell.
    while (this.#open.size > 0) await Promise.all(this.#open)
  }

  async #take(options: TurnOptions): Promise<Turn> {
    const { key, forced } = options
    const found = forced ? undefined : await this.#find(options)
    if (found !== undefined) return found
    if (!this.#shared.hasLeases) return { outcome: 'ask', lease: undefined }
    if (forced) return this.#fence(key)
    return tracedLeaseWait(this.#upstream, () => this.#wait(options), waitOutcome)
  }

  async #wait(options: TurnOptions): Promise<Turn> {
    const { key, signal, awaited } = options
    const end = this.#clock.monotonic() + longestWaitMs
    while (this.#clock.monotonic() < end) {
      const { lease, pausedMs = 0 } = await this.#shared.acquire(key, this.#leaseMs)
      // Nobody here sets a longer one: whoever did must not keep the fleet from asking.
      const isPaused = pausedMs > 0 && pausedMs <= longestPauseMs
      if (isPaused && (!awaited() || this.#clock.monotonic() + pausedMs >= end)) {
        return { outcome: 'paused', error: pausedError(this.#clock.now() + pausedMs) }
      }
      // Who had the lease until now may have left a token.
      const left = await this.#find(options).catch(() => undefined)
      if (left !== undefined) {
        if (lease !== undefined) this.#track(() => this.#shared.release(key, lease))
        return left
      }
      if (lease !== undefined) return { outcome: 'ask', lease }
      if (!awaited()) return { outcome: 'busy' }
      await pause(50 + this.#random() * 100, this.#clock, signal)
    }
    return this.#fence(key)
  }

  async #find({ key, suits }: TurnOptions): Promise<Turn | undefined> {
    const entry = await this.#shared.get(key)
    return entry !== undefined && suits(entry) ? { outcome: 'found', entry } : undefined
  }

  async #fence(key: string): Promise<Turn> {
    return { outcome: 'ask', lease: await this.#shared.fence(key) }
  }

  #track(tell: () => Promise<unknown>): void {
    const told = tell()
      .catch(() => undefined)
      .finally(() => this.#open.delete(told))
    this.#open.add(told)
  }
}

function waitOutcome(turn: Turn): LeaseWaitEvent['outcome'] {
  if (turn.outcome !== 'ask') return turn.outcome
  return turn.lease?.owner === undefined ? 'unleased' : 'acquired'
}

type Adopt = (entry: CachedToken) => void

function pausedError(retryAt: number): TokenwellError {
  return new TokenEndpointUnreachableError('the authorization server asked to be left alone for a while', {
    cause: new Error('another process of the fleet was told so (Retry-After)'),
    retryAt,
    fromCache: true,
  })
}
