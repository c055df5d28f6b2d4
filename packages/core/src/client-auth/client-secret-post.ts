import { readSecret, type ClientAuth, type Secret } from '../oauth/client-auth.ts'
import { assertSecret } from './assert-secret.ts'

/**
 * `client_secret_post`: id and secret in the request's form (RFC 6749 §2.3.1, which prefers the header).
 * Throws a `TypeError` for an empty secret.
 */
export function clientSecretPost(secret: Secret): ClientAuth {
  assertSecret('clientSecretPost', secret)
  const authenticate: ClientAuth = async (_server, client, body) => {
    body.set('client_id', client.client_id)
    body.set('client_secret', await readSecret(secret, 'clientSecretPost'))
  }
  return Object.assign(authenticate, { method: 'client_secret_post' })
}
