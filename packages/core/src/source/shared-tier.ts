import type { Clock } from '../clock.ts'
import { maxTokenLength, tokenSyntax } from '../oauth/access-token.ts'
import { BoundedMap } from './bounded-map.ts'
import type { CachedToken, TokenCache } from './token-cache.ts'

/** Longest wait for a cache that is asked before a token request. */
const timeoutMs = 250

/**
 * A token cache behind the memory of this process. It saves token requests; without it everything still works, so that it
 * fails, hangs or answers nonsense is nobody's trouble.
 */
export class SharedTier {
  readonly #cache: TokenCache
  readonly #clock: Clock
  readonly #tokenType: string
  /** Refused tokens, which the cache may still have: telling it takes time, and may fail. */
  readonly #refused = new BoundedMap<true>(1000)

  /** `tokenType`: of the tokens that are asked for. Any other is not taken, above all none that needs no proof. */
  constructor(cache: TokenCache, clock: Clock, tokenType: 'Bearer' | 'DPoP') {
    this.#cache = cache
    this.#clock = clock
    this.#tokenType = tokenType.toLowerCase()
  }

  async get(key: string): Promise<CachedToken | undefined> {
    const { promise, resolve } = Promise.withResolvers<undefined>()
    const cancelTimer = this.#clock.setTimer(() => resolve(undefined), timeoutMs)
    try {
      const found: unknown = await Promise.race([this.#cache.get(key), promise])
      if (!isCachedToken(found) || found.token.tokenType.toLowerCase() !== this.#tokenType) return undefined
      return this.#refused.peek(found.token.generation) === undefined ? found : undefined
    } catch {
      return undefined
    } finally {
      cancelTimer()
    }
  }

  async set(key: string, entry: CachedToken): Promise<void> {
    try {
      await this.#cache.set(key, entry)
    } catch {}
  }

  async delete(key: string, generation: string): Promise<void> {
    this.#refused.set(generation, true)
    try {
      await this.#cache.delete(key, generation)
    } catch {}
  }
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
