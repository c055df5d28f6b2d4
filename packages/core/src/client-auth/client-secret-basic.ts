import type { ClientAuth, Secrets } from '../oauth/client-auth.ts'
import { secretReader } from './secret-reader.ts'

/** Options of {@link clientSecretBasic}. */
export interface ClientSecretBasicOptions {
  /**
   * How id and secret stand before base64. `'form'` (default): percent-encoded, so that servers that decode and servers
   * that compare both read an ordinary secret. `'raw'`: their UTF-8 bytes as they are, for a server that does not decode
   * and a secret with special characters; refused with a `TypeError` for an id that has a colon.
   */
  readonly encoding?: 'form' | 'raw' | undefined
}

/**
 * `client_secret_basic`: id and secret in the Authorization header (RFC 6749 §2.3.1).
 * Throws a `TypeError` for an empty secret.
 */
export function clientSecretBasic(secret: Secrets, options: ClientSecretBasicOptions = {}): ClientAuth {
  const read = secretReader('clientSecretBasic', secret)
  const { encoding = 'form' } = options
  if (encoding !== 'form' && encoding !== 'raw') {
    throw new TypeError("clientSecretBasic: options.encoding: expected 'form' or 'raw'")
  }
  const encode = encoding === 'form' ? encodeForEveryDecoder : (text: string) => text
  const authenticate: ClientAuth = async (_server, client, _body, headers, attempt) => {
    if (encoding === 'raw' && client.client_id.includes(':')) {
      throw new TypeError("clientSecretBasic: a client id with a colon needs encoding 'form'")
    }
    const { value, version } = await read(attempt)
    const credentials = `${encode(client.client_id)}:${encode(value)}`
    headers.set('authorization', `Basic ${Buffer.from(credentials, 'utf8').toString('base64')}`)
    return { version }
  }
  return Object.assign(authenticate, { method: 'client_secret_basic' })
}

// RFC 6749 §2.3.1 wants application/x-www-form-urlencoded. Servers that decode read %XX alike, but some keep a plus;
// servers that do not decode need letters, digits and - . _ ~ untouched. So: percent-encoding, unreserved as it is.
function encodeForEveryDecoder(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)
}
