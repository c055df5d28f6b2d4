import type { Clock } from '../clock.ts'
import { CacheTimeoutError, tracedOperation } from '../diagnostics/cache-events.ts'
import type { CacheOperationEvent } from '../diagnostics/channels.ts'
import type { Notices } from '../diagnostics/notices.ts'
import { createAccessToken, maxTokenLength, tokenSyntax } from '../oauth/access-token.ts'
import { BoundedMap } from './bounded-map.ts'
import { ageMs } from './lifetime.ts'
import type { CachedToken, LeaseAnswer, MaybePromise, TokenCache, TokenLease } from './token-cache.ts'

/** Longest wait for one answer of the cache. */
const timeoutMs = 250

/** What a shared tier stands on. */
export interface SharedTierOptions {
  readonly cache: TokenCache
  readonly clock: Clock
  /** Of the tokens that are asked for. Any other is not taken, above all none that needs no proof. */
  readonly tokenType: 'Bearer' | 'DPoP'
  readonly upstream: string | undefined
  readonly notices: Notices
}

/**
 * A token cache behind the memory of this process. It saves token requests; without it everything still works, so that it
 * fails, hangs or answers nonsense is nobody's trouble: whoever asks it here takes a rejection for "no cache".
 */
export class SharedTier {
  readonly #cache: TokenCache
  readonly #clock: Clock
  readonly #tokenType: string
  readonly #upstream: string | undefined
  readonly #notices: Notices
  /** Refused tokens, which the cache may still have: telling it takes time, and may fail. */
  readonly #refused = new BoundedMap<true>(1000)

  constructor({ cache, clock, tokenType, upstream, notices }: SharedTierOptions) {
    this.#cache = cache
    this.#clock = clock
    this.#tokenType = tokenType.toLowerCase()
    this.#upstream = upstream
    this.#notices = notices
  }

  get hasLeases(): boolean {
    return this.#cache.leases !== undefined
  }

  get(key: string): Promise<CachedToken | undefined> {
    return this.#inTime('get', async () => this.#received(await this.#cache.get(key)), isDefined)
  }

  /** What the cache has instead, if it did not keep the entry. */
  async set(key: string, entry: CachedToken, lease?: TokenLease): Promise<CachedToken | undefined> {
    const { lifetime } = entry
    const remainingMs = lifetime.lifetimeMs - ageMs(lifetime, this.#clock.now(), this.#clock.monotonic())
    return this.#received(await this.#inTime('set', () => this.#cache.set(key, entry, { remainingMs, lease })))
  }

  async delete(key: string, generation: string): Promise<void> {
    this.#refused.set(generation, true)
    await this.#inTime('delete', () => this.#cache.delete(key, generation)).catch(() => undefined)
  }

  /** An answer without a lease that can be used is as good as none. */
  async acquire(key: string, durationMs: number): Promise<LeaseAnswer> {
    const answer = await this.#inTime('acquire', () => this.#leases.acquire(key, durationMs))
    return { lease: answer.lease, pausedMs: answer.pausedMs }
  }

  fence(key: string): Promise<TokenLease> {
    return this.#inTime('fence', () => this.#leases.fence(key))
  }

  async release(key: string, lease: TokenLease): Promise<void> {
    await this.#inTime('release', () => this.#leases.release(key, lease))
  }

  async pause(key: string, durationMs: number): Promise<void> {
    await this.#inTime('pause', () => this.#leases.pause(key, durationMs))
  }

  get #leases() {
    const { leases } = this.#cache
    if (leases === undefined) throw new TypeError('this cache has no leases')
    return leases
  }

  #received(found: unknown): CachedToken | undefined {
    if (!isCachedToken(found) || found.token.tokenType.toLowerCase() !== this.#tokenType) return undefined
    if (this.#refused.peek(found.token.generation) !== undefined) return undefined
    return found.remainingMs === undefined ? found : this.#rebased(found, found.remainingMs)
  }

  /** The same token by the clocks of this process. */
  #rebased({ token, lifetime }: CachedToken, remainingMs: number): CachedToken {
    const age = lifetime.lifetimeMs - Math.min(remainingMs, lifetime.lifetimeMs)
    const start = { wall: this.#clock.now() - age, monotonic: this.#clock.monotonic() - age }
    const { value, tokenType, scope, generation } = token
    const expiresAt = start.wall + lifetime.lifetimeMs
    return {
      token: createAccessToken({ value, tokenType, scope, generation, expiresAt }),
      lifetime: { ...lifetime, start },
    }
  }

  async #inTime<T>(
    operation: CacheOperationEvent['operation'],
    ask: () => MaybePromise<T>,
    found?: (result: T) => boolean,
  ): Promise<T> {
    try {
      const result = await tracedOperation(this.#upstream, operation, () => this.#answerOf(ask), found)
      this.#notices.settle('cache', { upstream: this.#upstream }, 'The shared token cache answers again.')
      return result
    } catch (error) {
      this.#notices.raise('cache', {
        level: 'warn',
        fields: { upstream: this.#upstream, operation },
        message:
          'The shared token cache does not answer: check it and the way to it. Calls go on; meanwhile each process asks the authorization server for itself.',
      })
      throw error
    }
  }

  async #answerOf<T>(ask: () => MaybePromise<T>): Promise<T> {
    const { promise, reject } = Promise.withResolvers<never>()
    const late = () => reject(new CacheTimeoutError('the cache did not answer in time'))
    // Timers come before what the network has brought: in a process that was busy, the answer may be here, unread.
    const cancelTimer = this.#clock.setTimer(() => setImmediate(late), timeoutMs)
    try {
      return await Promise.race([ask(), promise])
    } finally {
      cancelTimer()
    }
  }
}

function isDefined(found: unknown): boolean {
  return found !== undefined
}

function isCachedToken(found: unknown): found is CachedToken {
  const { token, lifetime, remainingMs = 0 } = (found ?? {}) as Partial<CachedToken>
  return (
    typeof token?.value === 'string' &&
    token.value.length <= maxTokenLength &&
    tokenSyntax.test(token.value) &&
    typeof token.tokenType === 'string' &&
    typeof token.generation === 'string' &&
    typeof token.expiresAt === 'number' &&
    typeof lifetime?.start?.wall === 'number' &&
    typeof lifetime.start.monotonic === 'number' &&
    [lifetime.lifetimeMs, lifetime.renewAfterMs, lifetime.usableForMs].every((ms) => typeof ms === 'number') &&
    Number.isFinite(remainingMs)
  )
}
