import { createRemoteJWKSet, customFetch, errors, jwtVerify, type JWTVerifyGetKey } from 'jose'

import { defined } from '../defined.ts'
import { fetchTrusting } from '../fetch-trusting.ts'

/** What a protected API needs to introspect tokens, RFC 7662. */
export interface IntrospectionAccess {
  readonly endpoint: string
  readonly clientId: string
  readonly clientSecret: string
}

/** What a good token says. */
export interface TokenClaims {
  readonly clientId?: string
  /** The token's `sub`. */
  readonly subject?: string
  readonly scope?: string
  /** Thumbprint of the key that the token is bound to, RFC 9449 §6.1. */
  readonly jkt?: string
  /** Thumbprint of the certificate that the token is bound to, RFC 8705 §3.1. */
  readonly certificateThumbprint?: string
}

/** How tokens are checked: by signature, by introspection, or JWTs by the one and all others by the other. */
export interface VerifierOptions {
  readonly issuer: string
  readonly jwksUri?: string
  readonly audience?: string
  readonly introspection?: IntrospectionAccess
  readonly ca?: string
  readonly typ?: string | false
}

/** Resolves to what the token says, or to nothing if it is not good. Rejects if that cannot be found out. */
export type TokenVerifier = (token: string) => Promise<TokenClaims | undefined>

/** Throws a TypeError if there is no way to check a token. */
export function createTokenVerifier(options: VerifierOptions): TokenVerifier {
  const { introspection } = options
  const keys =
    options.jwksUri === undefined
      ? undefined
      : createRemoteJWKSet(new URL(options.jwksUri), { [customFetch]: fetchTrusting(options.ca) })
  if (keys === undefined && introspection === undefined) throw new TypeError('jwksUri or introspection must be given')

  return async (token) => {
    if (keys !== undefined && token.split('.').length === 3) return verifySignature(token, keys, options)
    return introspection === undefined ? undefined : introspect(token, introspection, options)
  }
}

async function verifySignature(
  token: string,
  keys: JWTVerifyGetKey,
  // RFC 9068 §4: the type keeps an ID token from passing as an access token.
  { issuer, audience, typ = 'at+jwt' }: VerifierOptions,
): Promise<TokenClaims | undefined> {
  try {
    const { payload } = await jwtVerify(token, keys, {
      issuer,
      ...(typ === false ? {} : { typ }),
      ...(audience === undefined ? {} : { audience }),
    })
    return toClaims(payload)
  } catch (error) {
    if (error instanceof errors.JOSEError && !isKeyFetchFailure(error)) return undefined
    throw error
  }
}

function isKeyFetchFailure(error: errors.JOSEError): boolean {
  return error.code === 'ERR_JWKS_TIMEOUT' || error.code === 'ERR_JWKS_INVALID' || error.code === 'ERR_JOSE_GENERIC'
}

async function introspect(
  token: string,
  { endpoint, clientId, clientSecret }: IntrospectionAccess,
  { issuer, audience, ca }: VerifierOptions,
): Promise<TokenClaims | undefined> {
  const credentials = [clientId, clientSecret].map(encodeURIComponent).join(':')
  const response = await fetchTrusting(ca)(endpoint, {
    method: 'POST',
    headers: new Headers({
      authorization: `Basic ${Buffer.from(credentials).toString('base64')}`,
      'content-type': 'application/x-www-form-urlencoded',
    }),
    body: new URLSearchParams({ token, token_type_hint: 'access_token' }).toString(),
  })
  const answer = (await response.json()) as Record<string, unknown>
  // Some servers refuse to introspect what they did not mint in this format, instead of calling it inactive.
  if (response.status === 400) return undefined
  if (response.status !== 200) throw new Error(`introspection was answered ${response.status}`)
  if (answer['active'] !== true || (answer['iss'] ?? issuer) !== issuer) return undefined
  if (audience !== undefined && ![answer['aud']].flat().includes(audience)) return undefined
  return toClaims(answer)
}

function toClaims({ client_id: clientId, sub, scope, cnf }: Readonly<Record<string, unknown>>): TokenClaims {
  const confirmation = typeof cnf === 'object' && cnf !== null ? (cnf as Record<string, unknown>) : {}
  return defined({
    clientId: text(clientId),
    subject: text(sub),
    scope: text(scope),
    jkt: text(confirmation['jkt']),
    certificateThumbprint: text(confirmation['x5t#S256']),
  })
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}
