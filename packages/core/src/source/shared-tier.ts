import type { Clock } from '../clock.ts'
import { CacheTimeoutError, tracedOperation } from '../diagnostics/cache-events.ts'
import type { CacheOperationEvent } from '../diagnostics/channels.ts'
import type { Notices } from '../diagnostics/notices.ts'
import { maxTokenLength, tokenSyntax } from '../oauth/access-token.ts'
import { BoundedMap } from './bounded-map.ts'
import type { CachedToken, MaybePromise, TokenCache } from './token-cache.ts'

/** Longest wait for a cache that is asked before a token request. */
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
 * fails, hangs or answers nonsense is nobody's trouble.
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

  get(key: string): Promise<CachedToken | undefined> {
    return this.#operation('get', () => this.#found(key), isDefined)
  }

  async set(key: string, entry: CachedToken): Promise<void> {
    await this.#operation('set', () => this.#cache.set(key, entry))
  }

  async delete(key: string, generation: string): Promise<void> {
    this.#refused.set(generation, true)
    await this.#operation('delete', () => this.#cache.delete(key, generation))
  }

  async #found(key: string): Promise<CachedToken | undefined> {
    const { promise, reject } = Promise.withResolvers<never>()
    const late = () => reject(new CacheTimeoutError('the cache did not answer in time'))
    const cancelTimer = this.#clock.setTimer(late, timeoutMs)
    try {
      const found: unknown = await Promise.race([this.#cache.get(key), promise])
      if (!isCachedToken(found) || found.token.tokenType.toLowerCase() !== this.#tokenType) return undefined
      return this.#refused.peek(found.token.generation) === undefined ? found : undefined
    } finally {
      cancelTimer()
    }
  }

  /** Undefined when it failed. */
  async #operation<Result>(
    name: CacheOperationEvent['operation'],
    work: () => MaybePromise<Result>,
    found?: (result: Result) => boolean,
  ): Promise<Result | undefined> {
    try {
      const result = await tracedOperation(this.#upstream, name, async () => work(), found)
      this.#notices.settle('cache', { upstream: this.#upstream }, 'The shared token cache answers again.')
      return result
    } catch {
      this.#notices.raise('cache', {
        level: 'warn',
        fields: { upstream: this.#upstream, operation: name },
        message:
          'The shared token cache does not answer: check it and the way to it. Calls go on; meanwhile each process asks the authorization server for itself.',
      })
      return undefined
    }
  }
}

function isDefined(found: unknown): boolean {
  return found !== undefined
}

function isCachedToken(found: unknown): found is CachedToken {
  const { token, lifetime } = (found ?? {}) as Partial<CachedToken>
  return (
    typeof token?.value === 'string' &&
    token.value.length <= maxTokenLength &&
    tokenSyntax.test(token.value) &&
    typeof token.tokenType === 'string' &&
    typeof token.generation === 'string' &&
    typeof token.expiresAt === 'number' &&
    typeof lifetime?.start?.wall === 'number' &&
    typeof lifetime.start.monotonic === 'number' &&
    [lifetime.lifetimeMs, lifetime.renewAfterMs, lifetime.usableForMs].every((ms) => typeof ms === 'number')
  )
}
