import { hash } from 'node:crypto'
import type { TokenParameters } from '../grants/grant.ts'

/** Who asks whom: the half of the token key that all requests of one source share. */
export interface TokenKeyIdentity {
  readonly issuer: string | undefined
  /** The token endpoint or the metadata URL, as configured. */
  readonly location: string | undefined
  readonly clientId: string
  readonly clientAuthMethod: string
  readonly grantType: string
}

const schemaVersion = 1

/**
 * The one key under which a token is kept, waited for and remembered as refused: a hash of everything that decides
 * which token the server issues, and of no secret.
 */
export function tokenKey(identity: TokenKeyIdentity, parameters: TokenParameters): string {
  return hash('sha256', tokenKeyText(identity, parameters), 'base64url')
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
  ])
}

// RFC 8785 §3.2.3 for the members' order; numbers and strings are written by JSON.stringify as it prescribes.
function canonical(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(canonical)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1))
  // Pairs, since an object puts integer-like names first whatever the order they came in. Wrapped, so that no array of
  // pairs can be mistaken for an object.
  return { members: entries.map(([name, member]) => [name, canonical(member)]) }
}
