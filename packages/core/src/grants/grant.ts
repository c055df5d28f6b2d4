import type { CallContext } from '../context/call-context.ts'
import type { AssertionDefaults } from '../oauth/client-auth.ts'
import type { OneOrMany } from '../oauth/scope.ts'

/** What one token request asks for. Everything in it is part of the token key. */
export interface TokenParameters {
  readonly scope: readonly string[]
  /** RFC 8707 §2. */
  readonly resource: readonly string[]
  /** RFC 8693 §2.1, and many servers' own parameter. */
  readonly audience: readonly string[]
  /** RFC 9396 §2; in the order given. */
  readonly authorizationDetails: readonly AuthorizationDetail[] | undefined
  /** Further form parameters, sorted by name, then value. */
  readonly parameters: readonly (readonly [name: string, value: string])[]
  /**
   * In whose name, for a grant that says so by what {@link Grant.credentials} sends: hashes or names of that, never a
   * credential itself. Not sent.
   */
  readonly subject?: readonly string[] | undefined
}

/** One authorization details object (RFC 9396 §2). */
export interface AuthorizationDetail {
  readonly type: string
  readonly [member: string]: unknown
}

/** Further form parameters by name; a list sends the parameter several times. */
export type ExtraParameters = Readonly<Record<string, OneOrMany>>

/** What a grant is told when a token request is about to be sent. */
export interface GrantRequest {
  /** The authorization server's issuer identifier; undefined when only its token endpoint is configured. */
  readonly issuer: string | undefined
  readonly tokenEndpoint: string
  readonly clientId: string
  /** 1 for the first attempt of a token request. */
  readonly attempt: number
  /** Aborts when the attempt is given up. Never a caller's own: a token request outlives the call that started it. */
  readonly signal: AbortSignal
  /**
   * The context of the call that started the token request, without what ends that call. Whatever it selects must be in the token key,
   * so undefined for a grant that is not contextual.
   */
  readonly context: CallContext | undefined
  /** What the token key was made of. */
  readonly parameters: TokenParameters
  /** True while a usable token is at hand, so that nobody would notice if this request were not made. */
  readonly tokenAtHand: boolean
}

/** What a grant sends besides its {@link TokenParameters}, for one sending of one token request. */
export interface GrantCredentials {
  /** The `grant_type`, where it is another one than the grant's own. */
  readonly type?: string | undefined
  /** Form parameters. In no token key, error or log. */
  readonly parameters: readonly (readonly [name: string, value: string])[]
  /**
   * When that ends which the token is got with, in milliseconds since the epoch: the token is not used beyond it, and not renewed
   * before. Default: that is not known.
   */
  readonly endsAt?: number | undefined
  /**
   * Told what came of it, whatever that is, and awaited before anybody gets the token. Where it is there, nothing is sent again
   * before it has resolved; when it gives false, nothing more is by this token request.
   */
  settle?(end: SendingEnd): Promise<boolean>
}

/** What came of one sending. */
export interface SendingEnd {
  /**
   * `'granted'`: the server gave a token, if not always one that can be used. `'refused'`: it gave none, and says so. `'unsent'`:
   * it was not reached. `'unknown'`: it may have given one, but its answer was lost or is in doubt.
   */
  readonly outcome: 'granted' | 'refused' | 'unsent' | 'unknown'
  /** Why it was refused: an OAuth error code (RFC 6749 §5.2). */
  readonly error?: string | undefined
  /** The refresh token that came with the access token. */
  readonly refreshToken?: string | undefined
}

/** An OAuth grant (RFC 6749 §4): what is asked for, and in whose name. */
export interface Grant {
  /** The wire value of `grant_type`. */
  readonly type: string
  /** True when the parameters depend on the call's context. False lets the token key be computed once. */
  readonly contextual: boolean
  /** True when it cannot work with a `tokenEndpoint` alone: it puts the issuer into what it signs. */
  readonly needsIssuer?: boolean
  /** The parameters for one context. Must be a pure function of it. */
  parameters(context: CallContext | undefined): TokenParameters
  /**
   * What may not be in the token key in clear, such as assertions, codes and refresh tokens. Asked anew for each sending. What
   * selects the token must be in {@link TokenParameters.subject}, or one subject gets another's token.
   */
  credentials?(request: GrantRequest): GrantCredentials | Promise<GrantCredentials>
  /** The same with other defaults for assertions that it signs; what was given explicitly stays. */
  withDefaults?(defaults: AssertionDefaults): Grant
}
