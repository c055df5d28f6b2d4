import type { CallContext } from '../context/call-context.ts'
import type { TokenParameters } from '../grants/grant.ts'
import type { AccessToken } from '../oauth/access-token.ts'
import type { CredentialTrail } from './credential-trail.ts'
import type { Lifetime } from './lifetime.ts'

/** One combination of parameters, with its token key. */
export interface TokenPlan {
  readonly key: string
  readonly parameters: TokenParameters
  /** For a grant that needs it to make what it sends: of the call that asks. */
  readonly context?: CallContext
}

/** One attempt of a token request. */
export interface TokenAttempt {
  readonly signal: AbortSignal
  /** Of all attempts of the token request. */
  readonly trail: CredentialTrail
  readonly tokenAtHand: boolean
}

/** A token just issued. Without a lifetime it is for those who wait for it now, and is not kept. */
export interface IssuedToken {
  readonly token: AccessToken
  readonly lifetime: Lifetime | undefined
  /** Where to keep it, if not under the key that was asked for: what a token is bound to may change meanwhile. */
  readonly key?: string
}
