import type { ClientAuth, Secrets } from '../oauth/client-auth.ts'
import { secretReader } from './secret-reader.ts'

/**
 * `client_secret_post`: id and secret in the request's form (RFC 6749 §2.3.1, which prefers the header).
 * Throws a `TypeError` for an empty secret.
 */
export function clientSecretPost(secret: Secrets): ClientAuth {
  const read = secretReader('clientSecretPost', secret)
  const authenticate: ClientAuth = async (_server, client, body, _headers, attempt) => {
    const { value, version } = await read(attempt)
    body.set('client_id', client.client_id)
    body.set('client_secret', value)
    return { version }
  }
  return Object.assign(authenticate, { method: 'client_secret_post' })
}
