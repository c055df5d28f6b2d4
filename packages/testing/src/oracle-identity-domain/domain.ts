import type { OracleApplication } from './application.ts'
import type { AuthorizationCodes } from './authorization-codes.ts'
import type { TokenSigner } from './token-signer.ts'

/** What the endpoints of one domain share. */
export interface Domain {
  /** Without a slash at the end. */
  readonly url: string
  readonly issuer: string
  readonly applications: ReadonlyMap<string, OracleApplication>
  readonly users: ReadonlySet<string>
  readonly tokens: TokenSigner
  readonly codes: AuthorizationCodes
  /** The `jti` of each assertion that was taken. */
  readonly usedAssertions: Set<string>
}

/** What most domains say they are. */
export const genericIssuer = 'https://identity.oraclecloud.com/'
