import { createCertificateAuthority, type CertificateAuthority } from './certificate-authority.ts'

/** Whether a server speaks TLS: with a certificate of an authority that it makes, or of one that it is given. */
export type TlsOption = boolean | CertificateAuthority

/** What a server of this package shows its clients. */
export interface TlsIdentity {
  readonly authority: CertificateAuthority
  /** PEM. */
  readonly cert: string
  /** PEM. */
  readonly key: string
}

/** A certificate for 127.0.0.1 and localhost, or nothing if the server speaks no TLS. */
export async function createTlsIdentity(option: TlsOption = false): Promise<TlsIdentity | undefined> {
  if (option === false) return undefined
  const authority = option === true ? await createCertificateAuthority() : option
  const { cert, key } = await authority.issue({
    commonName: 'localhost',
    sans: ['127.0.0.1', 'localhost'],
    usage: 'server',
  })
  return { authority, cert, key }
}
