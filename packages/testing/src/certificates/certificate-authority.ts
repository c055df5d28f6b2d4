import type { IssuedCertificate, KeyPair } from './issued-certificate.ts'

/** What a certificate says. */
export interface CertificateOptions {
  /** The subject is `CN=` and this. */
  readonly commonName: string
  /** DNS names, IP addresses, URIs and e-mail addresses; each is told apart by its form. Default: none. */
  readonly sans?: readonly string[]
  /** What the certificate may be used for on a TLS connection. Default: both. */
  readonly usage?: 'client' | 'server'
  /** Life from now on, in days. Default: 1. */
  readonly days?: number
  /** Default: five minutes ago, or a day before `notAfter` if that is earlier. */
  readonly notBefore?: Date
  /** Takes the place of `days`; may be past. */
  readonly notAfter?: Date
  /** Signed by its own key instead of by the authority. Default: false. */
  readonly selfSigned?: boolean
  /** Of the key that is generated. Default: `ES256`. */
  readonly algorithm?: 'ES256' | 'RS256'
  /** Another certificate's, as for a renewal. Default: a new one. */
  readonly keyPair?: KeyPair
}

/** A certificate authority that nobody trusts but the servers of this package which are told to. */
export interface CertificateAuthority {
  /** Its own certificate, PEM. What clients name as `ca`. */
  readonly cert: string
  /** Issues a certificate. Rejects with a TypeError if the names or dates make none. */
  issue(options: CertificateOptions): Promise<IssuedCertificate>
}

/** Creates a certificate authority with a key of its own, good for a day. */
export async function createCertificateAuthority(): Promise<CertificateAuthority> {
  // Loading the library takes longer than anything else here, and most tests need no certificate.
  const { signCertificate, signRoot } = await import('./sign-certificate.ts')
  const root = await signRoot()
  return { cert: root.cert, issue: (options) => signCertificate(options, root) }
}
