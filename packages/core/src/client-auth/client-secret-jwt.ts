import { SignJWT } from 'jose'
import type { ClientAuth, Secrets } from '../oauth/client-auth.ts'
import { assertionSigner, type SignedAssertionOptions } from '../credentials/signed-assertion.ts'
import { jwtBearer, putAssertion } from './put-assertion.ts'
import { secretReader } from './secret-reader.ts'

/** Options of {@link clientSecretJwt}. */
export interface ClientSecretJwtOptions extends SignedAssertionOptions {
  /** JOSE algorithm (RFC 7518 §3.2). Default `HS256`. */
  readonly algorithm?: 'HS256' | 'HS384' | 'HS512' | undefined
}

/**
 * `client_secret_jwt`: the client signs a short-lived assertion with its secret (RFC 7523 §2.2, OpenID Connect Core §9),
 * which is not sent itself. The key is the secret's UTF-8 bytes.
 * Throws a `TypeError` for an empty secret or a wrong option.
 */
export function clientSecretJwt(secret: Secrets, options: ClientSecretJwtOptions = {}): ClientAuth {
  const read = secretReader('clientSecretJwt', secret)
  const { algorithm = 'HS256' } = options
  if (!['HS256', 'HS384', 'HS512'].includes(algorithm)) {
    throw new TypeError('clientSecretJwt: algorithm: expected one of HS256, HS384, HS512')
  }
  const signer = assertionSigner('clientSecretJwt', options)
  const authenticate: ClientAuth = async (server, client, body, _headers, attempt) => {
    const { value, version } = await read(attempt)
    const sign = (header: object, claims: Record<string, unknown>) =>
      new SignJWT(claims).setProtectedHeader({ ...header, alg: algorithm }).sign(Buffer.from(value))
    const key = { algorithm, keyId: undefined, version, sign }
    const own = { issuer: client.client_id, subject: client.client_id }
    putAssertion(body, client, jwtBearer, await signer.sign({ server, ...own, key }))
    return { version }
  }
  return Object.assign(authenticate, { method: 'client_secret_jwt', needsIssuer: signer.needsIssuer })
}
