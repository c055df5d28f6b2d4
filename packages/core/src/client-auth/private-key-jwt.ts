import { randomUUID } from 'node:crypto'
import { SignJWT, type JWTHeaderParameters } from 'jose'
import type { AuthorizationServer } from 'oauth4webapi'
import type { ClientAuth } from '../oauth/client-auth.ts'
import { readPrivateKey, type PrivateKey } from './private-key.ts'

/** Options of {@link privateKeyJwt}. */
export interface PrivateKeyJwtOptions {
  /** The `kid` header, by which the server finds the public key. Default: the JWK's own, else none. */
  readonly keyId?: string | undefined
  /** JOSE algorithm. Default: the JWK's `alg`, else the usual one of the key: `RS256`, `ES256`, `EdDSA`… */
  readonly algorithm?: string | undefined
  /**
   * The assertion's `aud`. `'issuer'` (default): the issuer identifier alone, as a string. `'token-endpoint'` or
   * `'both'` for servers that want the endpoint's URL; any other string or array is sent as it is.
   */
  readonly audience?: 'issuer' | 'token-endpoint' | 'both' | (string & {}) | readonly string[] | undefined
  /** The `typ` header. Default `client-authentication+jwt`; `false` leaves it out. Some servers want `JWT`. */
  readonly type?: string | false | undefined
  /** The `x5t` header (RFC 7515 §4.1.7): base64url SHA-1 thumbprint of the certificate, for servers that find keys so. */
  readonly x5t?: string | undefined
  /** Life of an assertion in milliseconds, rounded up to seconds. Default 60 000; 1 000 to 3 600 000. */
  readonly expiresInMs?: number | undefined
}

/**
 * `private_key_jwt`: the client signs a short-lived assertion (RFC 7523 §2.2, OpenID Connect Core §9). The key itself
 * never leaves the process, and each attempt has an assertion of its own.
 *
 * Throws a `TypeError` for a key that is not private or does not fit the algorithm; no message tells anything of the key.
 */
export function privateKeyJwt(key: PrivateKey, options: PrivateKeyJwtOptions = {}): ClientAuth {
  const signing = readPrivateKey('privateKeyJwt', key, options.algorithm)
  const { audience = 'issuer', type = 'client-authentication+jwt', expiresInMs = 60_000, x5t } = options
  if (!Number.isFinite(expiresInMs) || expiresInMs < 1000 || expiresInMs > 3_600_000) {
    throw new TypeError('privateKeyJwt: expiresInMs: expected milliseconds from 1000 to 3600000')
  }
  const keyId = options.keyId ?? signing.keyId
  const header: JWTHeaderParameters = Object.freeze({
    alg: signing.algorithm,
    ...(type === false ? {} : { typ: type }),
    ...(keyId === undefined ? {} : { kid: keyId }),
    ...(x5t === undefined ? {} : { x5t }),
  })
  const authenticate: ClientAuth = async (server, client, body) => {
    const now = Math.floor(Date.now() / 1000)
    const assertion = await new SignJWT({ jti: randomUUID() })
      .setProtectedHeader({ ...header })
      .setIssuer(client.client_id)
      .setSubject(client.client_id)
      .setAudience(audienceFor(server, audience))
      .setIssuedAt(now)
      .setExpirationTime(now + Math.ceil(expiresInMs / 1000))
      .sign(signing.key)
    // RFC 7521 §4.2 makes client_id optional here; some servers need it and none minds.
    body.set('client_id', client.client_id)
    body.set('client_assertion_type', 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer')
    body.set('client_assertion', assertion)
  }
  return Object.assign(authenticate, {
    method: 'private_key_jwt',
    needsIssuer: audience === 'issuer' || audience === 'both',
  })
}

function audienceFor(
  server: AuthorizationServer,
  audience: NonNullable<PrivateKeyJwtOptions['audience']>,
): string | string[] {
  const endpoint = server.token_endpoint ?? ''
  if (audience === 'issuer') return server.issuer
  if (audience === 'token-endpoint') return endpoint
  if (audience === 'both') return [server.issuer, endpoint]
  return typeof audience === 'string' ? audience : [...audience]
}
