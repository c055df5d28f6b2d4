import type { AccessToken } from '../oauth/access-token.ts'
import type { Lifetime } from './lifetime.ts'

/** A token with the plan of its life, as a cache keeps it. */
export interface CachedToken {
  readonly token: AccessToken
  readonly lifetime: Lifetime
  /**
   * How much of its life is left as the cache hands it over, in milliseconds. The clocks of two processes differ, so that
   * `lifetime.start` and `expiresAt` of another one mean nothing here; they are believed only where this is undefined.
   */
  readonly remainingMs?: number | undefined
}

/** What else a cache that is not in this process's memory is told of an entry. */
export interface TokenWrite {
  /** How much of the token's life is left now, in milliseconds. */
  readonly remainingMs: number
  /** Under which lease it was asked for; undefined where there are no leases, and for a token that came under another key. */
  readonly lease?: TokenLease | undefined
}

/** A value at once, or later. */
export type MaybePromise<T> = T | Promise<T>

/**
 * Where tokens are kept. The contract suite of `@tokenwell/testing` says what an implementation must do.
 *
 * A cache with `peek` answers from this process's memory and is all there is. One without stands behind a memory cache,
 * is asked only before a token request, for at most 250 ms, and its failures fail no call.
 */
export interface TokenCache {
  /** A look into this process's memory, without I/O. */
  peek?(key: string): CachedToken | undefined
  get(key: string): MaybePromise<CachedToken | undefined>
  /**
   * Keeps the entry, in place of what it had. With a lease whose fence is older than that of what it has, it keeps what it
   * has, and gives that if it is a token.
   */
  set(key: string, entry: CachedToken, write?: TokenWrite): MaybePromise<CachedToken | undefined | void>
  /**
   * Removes the entry if its token is of this generation, and says whether it did. Where there are leases, what was asked
   * for under an older fence is not kept for a minute from then on.
   */
  delete(key: string, generation: string): MaybePromise<boolean>
  /** Where many processes share the cache: has one of them ask for all. */
  readonly leases?: TokenLeases | undefined
}

/** Leave to ask the authorization server for a token, as a cache gave it. Given back to the same cache as it came. */
export interface TokenLease {
  /** Grows with each lease for a key, so that a write that was long on its way is known to be late. */
  readonly fence: number
  /** Who has the lease; undefined for who asks without having it. */
  readonly owner: string | undefined
}

/** How an attempt to get a lease ended. */
export interface LeaseAnswer {
  /** Undefined when another process has it. */
  readonly lease?: TokenLease | undefined
  /** How long the authorization server still wants to be left alone, in milliseconds, as a process of the fleet was told. */
  readonly pausedMs?: number | undefined
}

/**
 * Leases spare token requests, and nothing depends on them: two tokens for one key are as good as one. Each is somebody's for
 * a time by the cache's clock and then nobody's, whatever became of who had it.
 */
export interface TokenLeases {
  /** Tries to get the lease, without waiting. None is given during a pause. */
  acquire(key: string, durationMs: number): Promise<LeaseAnswer>
  /** A fence alone, for who asks whoever has the lease. */
  fence(key: string): Promise<TokenLease>
  /** Gives the lease back, if it is still this owner's. */
  release(key: string, lease: TokenLease): Promise<void>
  /** The authorization server asked to be left alone for so long. Whoever tries to get a lease is told, until a token is set. */
  pause(key: string, durationMs: number): Promise<void>
}
