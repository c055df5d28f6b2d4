import { hash } from 'node:crypto'
import type { TokenParameters } from '../grants/grant.ts'
import { canonical } from '../oauth/canonical-json.ts'

/** A key or a certificate that a token is bound to: its thumbprint. */
export type Confirmation = readonly [member: 'x5t#S256' | 'jkt', thumbprint: string]

/** Who asks whom: the half of the token key that all requests of one source share. */
export interface TokenKeyIdentity {
  readonly issuer: string | undefined
  /** The token endpoint or the metadata URL, as configured. */
  readonly location: string | undefined
  readonly clientId: string
  readonly clientAuthMethod: string
  readonly grantType: string
  /** What the token may be bound to, as its `cnf` claim would have it (RFC 8705 §3.1, RFC 9449 §6.1). */
  readonly confirmation: readonly Confirmation[]
  /** Where tenants have sources of their own: what keeps them apart in a cache that they share. */
  readonly tenant?: string | undefined
}

const schemaVersion = 3

/**
 * The one key under which a token is kept, waited for and remembered as refused: a hash of everything that decides
 * which token the server issues, and of no secret.
 */
export function tokenKey(identity: TokenKeyIdentity, parameters: TokenParameters): string {
  return keyOfText(tokenKeyText(identity, parameters))
}

/** The key of what {@link tokenKeyText} gave, for who has that already. */
export function keyOfText(text: string): string {
  return hash('sha256', text, 'base64url')
}

/** What is hashed. Positions are fixed, so that no two lists can run together. */
export function tokenKeyText(identity: TokenKeyIdentity, parameters: TokenParameters): string {
  return JSON.stringify([
    schemaVersion,
    identity.issuer ?? null,
    identity.location ?? null,
    identity.clientId,
    identity.clientAuthMethod,
    identity.grantType,
    parameters.scope,
    parameters.resource,
    parameters.audience,
    parameters.authorizationDetails?.map(canonical) ?? null,
    parameters.parameters,
    parameters.subject ?? null,
    identity.confirmation,
    // Keys of those who have no tenants are what they were.
    ...(identity.tenant === undefined ? [] : [identity.tenant]),
  ])
}
