import type { CachedToken, TokenCache } from './token-cache.ts'

/**
 * A token cache behind the memory of this process. It saves token requests; without it everything still works, so its
 * failures are nobody's.
 */
export class SharedTier {
  readonly #cache: TokenCache

  constructor(cache: TokenCache) {
    this.#cache = cache
  }

  async get(key: string): Promise<CachedToken | undefined> {
    try {
      return await this.#cache.get(key)
    } catch {
      return undefined
    }
  }

  async set(key: string, entry: CachedToken): Promise<void> {
    try {
      await this.#cache.set(key, entry)
    } catch {}
  }

  async delete(key: string, generation: string): Promise<void> {
    try {
      await this.#cache.delete(key, generation)
    } catch {}
  }
}
