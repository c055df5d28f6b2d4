import type { AccessToken } from '../oauth/access-token.ts'
import type { Lifetime } from './lifetime.ts'

/** A token with the plan of its life, as a cache keeps it. */
export interface CachedToken {
  readonly token: AccessToken
  readonly lifetime: Lifetime
}

/** A value at once, or later. */
export type MaybePromise<T> = T | Promise<T>

/**
 * Where tokens are kept. The contract suite of `@tokenwell/testing` says what an implementation must do.
 *
 * A cache with `peek` answers from this process's memory and is all there is. One without stands behind a memory cache,
 * is asked only before a token request, and its failures fail no call.
 */
export interface TokenCache {
  /** A look into this process's memory, without I/O. */
  peek?(key: string): CachedToken | undefined
  get(key: string): MaybePromise<CachedToken | undefined>
  set(key: string, entry: CachedToken): MaybePromise<void>
  /** Removes the entry if its token is of this generation, and says whether it did. */
  delete(key: string, generation: string): MaybePromise<boolean>
}
