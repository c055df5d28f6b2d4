import type { SecureContext } from 'node:tls'
import type { ClientAuthAttempt } from './client-auth.ts'

/** A client certificate, ready for connections (RFC 8705 §2). Neither inspect nor JSON shows its key. */
export interface ClientCertificate {
  /** Certificate, key and trusted authorities, as `tls.connect` takes them. */
  readonly secureContext: SecureContext
  /** `x5t#S256`: base64url SHA-256 of the certificate (RFC 8705 §3.1). Tokens may be bound to it. */
  readonly thumbprint: string
  /** Changes with the certificate, its key or the trusted authorities. Connections are kept apart by it. */
  readonly version: string
}

/** Where a client certificate comes from. */
export interface MutualTls {
  /** The certificate to connect with now. Rejects when there is none that can be used. */
  read(attempt?: ClientAuthAttempt): Promise<ClientCertificate>
  /** That of the certificate that was last read; undefined before. Part of the key of a token got with it. */
  readonly thumbprint: string | undefined
}
