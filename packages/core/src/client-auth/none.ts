import type { ClientAuth } from '../oauth/client-auth.ts'

/**
 * `none`: the client names itself and proves nothing (RFC 6749 §3.2.1). For servers that know it by other means, such as
 * the network or a dispatcher of your own that shows a certificate.
 */
export function none(): ClientAuth {
  const authenticate: ClientAuth = (_server, client, body) => body.set('client_id', client.client_id)
  return Object.assign(authenticate, { method: 'none' })
}
