import type { CallContext } from '../context/call-context.ts'
import type { AccessToken } from '../oauth/access-token.ts'
import type { DpopProofs } from './dpop-proofs.ts'
import type { Health } from './health.ts'

/** Options of {@link TokenSource.get}. */
export interface GetTokenOptions {
  /** Ends this caller's wait; the request that it shares with others goes on. */
  readonly signal?: AbortSignal | undefined
  /** What the token may depend on. */
  readonly context?: CallContext | undefined
  /** Asks the authorization server even though a usable token is at hand. Such calls at the same time share one request. */
  readonly forceRenewal?: boolean | undefined
}

/** Where access tokens come from. The one seam between getting tokens and using them. */
export interface TokenSource {
  /** The token at hand, if it is fresh. Synchronous, no I/O: `undefined` means that `get` must be asked. */
  peek(context?: CallContext): AccessToken | undefined
  /**
   * A usable token: the one at hand, even while its replacement is being fetched, else a new one.
   * Rejects with a `TokenwellError` when none can be had, and with `signal.reason` when the caller gave up.
   */
  get(options?: GetTokenOptions): Promise<AccessToken>
  /**
   * Forgets this very token, for instance after an API refused it. True if it was the one at hand; false, and nothing
   * happens, if another one had already taken its place.
   */
  invalidate(token: AccessToken): boolean
  /** True when there is no token without a context: which one it is depends on that. */
  readonly contextual?: boolean | undefined
  /** Where its tokens are bound to a key: what proves that this service has it (RFC 9449). */
  readonly dpop?: DpopProofs | undefined
  /** Whether a token is to be had, as far as that is known without asking anybody. Synchronous, no I/O. */
  health?(): Health
  /** Ends what is under way; later calls of `get` reject with an `UpstreamClosedError`. */
  close(): Promise<void>
}
