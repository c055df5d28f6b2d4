import { channel, tracingChannel, type Channel, type TracingChannel as Tracing } from 'node:diagnostics_channel'

/**
 * What is published, by channel. Names and members are frozen by a test and documented in the README; nothing here is a token, a
 * secret, an assertion, a key, a query, or the words of a server.
 *
 * Channels are those of the process: every copy of this package publishes on the same ones. Whoever throws while subscribed ends
 * the process, as Node.js has it for all channels, and no call.
 */

/** `tokenwell:token.hit`: a token at hand was given, without waiting. */
export interface TokenHitEvent {
  readonly upstream: string | undefined
  /** `stale`: usable, and its renewal is due. */
  readonly result: 'hit_l1' | 'stale'
  /** How long it took to find. */
  readonly durationMs: number
  /** What is left of its life. */
  readonly remainingMs: number
}

/** `tokenwell:token.acquire`, a tracing channel: a call that had no token at hand, from its question to its token or error. */
export interface TokenAcquireEvent {
  readonly upstream: string | undefined
  /**
   * Known at the end. `miss`: the authorization server was asked for this call; `coalesced`: for another one, at the same time;
   * `hit_l2`: the shared cache had it; `stale`: none could be had, and the one at hand is good enough; `negative`: it failed at once,
   * because the same failed a moment ago.
   */
  result: 'hit_l2' | 'miss' | 'stale' | 'coalesced' | 'negative' | undefined
  /** What is left of the token's life, at the end. */
  remainingMs: number | undefined
  errorType: string | undefined
  /** The event of the renewal that it waits for, the very object; undefined if it waits for none. */
  readonly renewal: TokenRenewalEvent | undefined
}

/**
 * `tokenwell:token.renewal`, a tracing channel: another token for all who wait for it, with everything that it takes. Runs
 * outside of every call: its asynchronous context is nobody's.
 */
export interface TokenRenewalEvent {
  readonly upstream: string | undefined
  /** Why: no token was known, or it was stale, expired, rejected by the API, or replaced on purpose. */
  readonly reason: 'initial' | 'stale' | 'expired' | 'rejected' | 'forced'
  /** Where it came from: `l2` is the shared cache; `none`: the one at hand stays, since another process asks, or the server wants a pause. */
  origin: 'server' | 'l2' | 'none'
  errorType: string | undefined
  /**
   * A subscriber of `start` may put a function here that runs what it is given, in a context of its own. For tracers whose
   * context is no AsyncLocalStorage that could be bound to the channel.
   */
  around: (<Result>(work: () => Result) => Result) | undefined
}

/** `tokenwell:token.request`, a tracing channel: one request to the token endpoint, until its answer is understood. */
export interface TokenRequestEvent {
  readonly upstream: string | undefined
  readonly grantType: string
  readonly serverAddress: string
  readonly serverPort: number
  /** Known at the end, if there was an answer. */
  statusCode: number | undefined
  errorType: string | undefined
}

/** `tokenwell:cache.operation`, a tracing channel: one operation of a token cache that other processes share. */
export interface CacheOperationEvent {
  readonly upstream: string | undefined
  readonly tier: 'l2'
  readonly operation: 'get' | 'set' | 'delete' | 'acquire' | 'fence' | 'release' | 'pause'
  /** Known at the end. `miss`: nothing, or nothing that may be used. */
  outcome: 'hit' | 'miss' | 'ok' | 'timeout' | 'error' | undefined
}

/** `tokenwell:cache.entries`: how many tokens this process has in memory, after a change. */
export interface CacheEntriesEvent {
  readonly tier: 'l1'
  readonly entries: number
  /** Which cache, for adding them up: an object without content that lives as long as the cache does. */
  readonly cache: object
}

/** `tokenwell:lease.wait`, a tracing channel: what one process of many went through before it asked the authorization server. */
export interface LeaseWaitEvent {
  readonly upstream: string | undefined
  /**
   * Known at the end. `acquired`: it has the lease; `found`: another process left a token; `busy`: another process asks, and nobody
   * waits here; `paused`: the server asked to be left alone; `unleased`: it asks without a lease.
   */
  outcome: 'acquired' | 'found' | 'busy' | 'paused' | 'unleased' | undefined
}

/** `tokenwell:upstream.refused`: the API answered 401 or 403 to a request with our token. */
export interface UpstreamRefusedEvent {
  readonly upstream: string | undefined
  readonly statusCode: 401 | 403
  /** The error of the challenge, such as `insufficient_scope`; `_OTHER` for one that no RFC knows. */
  readonly challenge: string | undefined
  /** The scope that the challenge asks for. */
  readonly scope: string | undefined
}

/** `tokenwell:upstream.replay`: a refused request was sent again, or why not. */
export interface UpstreamReplayEvent {
  readonly upstream: string | undefined
  /** `token`: with another token; `nonce`: with the nonce that the API wants in the proof. */
  readonly reason: 'token' | 'nonce'
  /**
   * `skipped_body`: its body is not at hand any more; `skipped_policy`: `replay` forbids it; `skipped_budget`: it was sent again
   * before, or an API that refuses every token is spared; `skipped_token`: there is no other token.
   */
  readonly outcome: 'sent' | 'skipped_body' | 'skipped_policy' | 'skipped_budget' | 'skipped_token'
  /** Why there is no other token, if the renewal failed. */
  readonly errorType: string | undefined
}

/** What is published on each channel. Of tracing channels, the same object with each of their events. */
export interface TokenwellChannels {
  readonly 'tokenwell:token.hit': TokenHitEvent
  readonly 'tokenwell:token.acquire': TokenAcquireEvent
  readonly 'tokenwell:token.renewal': TokenRenewalEvent
  readonly 'tokenwell:token.request': TokenRequestEvent
  readonly 'tokenwell:cache.operation': CacheOperationEvent
  readonly 'tokenwell:cache.entries': CacheEntriesEvent
  readonly 'tokenwell:lease.wait': LeaseWaitEvent
  readonly 'tokenwell:upstream.refused': UpstreamRefusedEvent
  readonly 'tokenwell:upstream.replay': UpstreamReplayEvent
}

// Held here, since a channel that nobody holds is forgotten.
export const tokenHit: Channel = channel('tokenwell:token.hit')
export const tokenAcquire: Tracing<TokenAcquireEvent> = tracingChannel('tokenwell:token.acquire')
export const tokenRenewal: Tracing<TokenRenewalEvent> = tracingChannel('tokenwell:token.renewal')
export const tokenRequest: Tracing<TokenRequestEvent> = tracingChannel('tokenwell:token.request')
export const cacheOperation: Tracing<CacheOperationEvent> = tracingChannel('tokenwell:cache.operation')
export const cacheEntries: Channel = channel('tokenwell:cache.entries')
export const leaseWait: Tracing<LeaseWaitEvent> = tracingChannel('tokenwell:lease.wait')
export const upstreamRefused: Channel = channel('tokenwell:upstream.refused')
export const upstreamReplay: Channel = channel('tokenwell:upstream.replay')
