import { tellEntries } from '../diagnostics/cache-events.ts'
import type { AccessToken } from '../oauth/access-token.ts'
import { BoundedMap } from './bounded-map.ts'
import type { CachedToken, TokenCache } from './token-cache.ts'

/** Options of {@link memoryTokenCache}. */
export interface MemoryTokenCacheOptions {
  /**
   * How many tokens are kept. Of more, the one that was set first goes, unless it was looked up since: then it is spared
   * once. Default 1000; at least 1.
   */
  readonly maxEntries?: number | undefined
}

/** A {@link TokenCache} that answers at once. */
export interface MemoryTokenCache extends TokenCache {
  peek(key: string): CachedToken | undefined
  get(key: string): CachedToken | undefined
  set(key: string, entry: CachedToken): void
  delete(key: string, generation: string): boolean
  /** Under which key this token was set, whoever did it. */
  keyOf(token: AccessToken): string | undefined
  /** Drops every entry that is dead, and gives how many are left. */
  sweep(isDead: (entry: CachedToken) => boolean): number
}

/**
 * Tokens in this process's memory, and nowhere else. One cache may serve several token sources.
 * Throws a `TypeError` unless `maxEntries` is a whole number of at least 1.
 */
export function memoryTokenCache({ maxEntries = 1000 }: MemoryTokenCacheOptions = {}): MemoryTokenCache {
  if (!Number.isSafeInteger(maxEntries) || maxEntries < 1) {
    throw new TypeError('memoryTokenCache: maxEntries: expected a whole number of at least 1')
  }
  const entries = new BoundedMap<CachedToken>(maxEntries)
  const keys = new WeakMap<AccessToken, string>()
  const self = Object.freeze({})
  return Object.freeze({
    peek: (key: string) => entries.get(key),
    get: (key: string) => entries.get(key),
    set(key: string, entry: CachedToken) {
      keys.set(entry.token, key)
      entries.set(key, Object.freeze(entry))
      tellEntries(self, entries.size)
    },
    keyOf: (token: AccessToken) => keys.get(token),
    delete(key: string, generation: string) {
      const deleted = entries.peek(key)?.token.generation === generation && entries.delete(key)
      if (deleted) tellEntries(self, entries.size)
      return deleted
    },
    sweep(isDead: (entry: CachedToken) => boolean) {
      const before = entries.size
      for (const [key, entry] of entries.entries()) if (isDead(entry)) entries.delete(key)
      if (entries.size < before) tellEntries(self, entries.size)
      return entries.size
    },
  })
}
