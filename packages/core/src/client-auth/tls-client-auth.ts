import type { ClientAuth } from '../oauth/client-auth.ts'
import { certificateReader, type TlsCertificateSource } from './certificate-reader.ts'

/** Options of {@link tlsClientAuth}. */
export interface TlsClientAuthOptions {
  /**
   * By what the server knows the certificate: `tls_client_auth` (default), an authority that issued it (RFC 8705 §2.1), or
   * `self_signed_tls_client_auth`, the certificate itself (RFC 8705 §2.2). Nothing else differs for the client.
   */
  readonly method?: 'tls_client_auth' | 'self_signed_tls_client_auth' | undefined
}

/**
 * `tls_client_auth`, `self_signed_tls_client_auth`: the client shows a certificate on the TLS connection (RFC 8705 §2),
 * and its id is in the form. `mtls_endpoint_aliases` of the metadata is used where there is one (RFC 8705 §5).
 *
 * Files and functions are read for each attempt; another certificate means other connections, and other tokens, since
 * they may be bound to the certificate (RFC 8705 §3). Towards the API it is the upstream's `dispatcher` that shows it.
 * Not beside `oauth.dispatcher`, whose connections are its own.
 *
 * Throws a `TypeError` for a certificate and a key that cannot be read or do not belong together, and for a certificate
 * that has expired. With files and functions it is the token request that fails.
 */
export function tlsClientAuth(certificate: TlsCertificateSource, options: TlsClientAuthOptions = {}): ClientAuth {
  const { method = 'tls_client_auth' } = options
  if (method !== 'tls_client_auth' && method !== 'self_signed_tls_client_auth') {
    throw new TypeError("tlsClientAuth: method: expected 'tls_client_auth' or 'self_signed_tls_client_auth'")
  }
  const mutualTls = certificateReader('tlsClientAuth', certificate)
  const authenticate: ClientAuth = async (_server, client, body, _headers, attempt) => {
    body.set('client_id', client.client_id)
    const used = await mutualTls.read(attempt)
    return { certificate: used, version: mutualTls.rotates ? used.version : undefined }
  }
  return Object.assign(authenticate, { method, mutualTls })
}
