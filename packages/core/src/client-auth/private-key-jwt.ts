import { keyAssertionSigner, withAssertionDefaults, type KeyAssertionOptions } from '../credentials/key-assertion.ts'
import { isSecondTry } from '../credentials/reading.ts'
import type { SigningKeySource } from '../credentials/signing-key-reader.ts'
import type { AssertionDefaults, ClientAuth } from '../oauth/client-auth.ts'
import { jwtBearer, putAssertion } from './put-assertion.ts'

/** Options of {@link privateKeyJwt}. */
export type PrivateKeyJwtOptions = KeyAssertionOptions

/**
 * `private_key_jwt`: the client signs a short-lived assertion (RFC 7523 §2.2, OpenID Connect Core §9). The key itself
 * never leaves the process, or with a signer not even the KMS or HSM, and each attempt has an assertion of its own.
 *
 * A function or a file is read for each attempt; a key that rotates brings its `kid` along as a JWK.
 *
 * Throws a `TypeError` for a key that is not private or does not fit the algorithm; no message tells anything of the key.
 */
export function privateKeyJwt(key: SigningKeySource, options: PrivateKeyJwtOptions = {}): ClientAuth {
  const signer = keyAssertionSigner('privateKeyJwt', key, options)
  const authenticate: ClientAuth = async (server, client, body, _headers, attempt) => {
    const own = { issuer: client.client_id, subject: client.client_id }
    const fresh = isSecondTry(attempt)
    const { assertion, version } = await signer.sign({ server, ...own, fresh, signal: attempt?.signal })
    putAssertion(body, client, jwtBearer, assertion)
    return { version }
  }
  const withDefaults = (defaults: AssertionDefaults) => privateKeyJwt(key, withAssertionDefaults(options, defaults))
  return Object.assign(authenticate, { method: 'private_key_jwt', needsIssuer: signer.needsIssuer, withDefaults })
}
