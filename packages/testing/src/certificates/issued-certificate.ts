import { X509Certificate } from 'node:crypto'
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'

import { exportPKCS8, type CryptoKey } from 'jose'

/** A private key with its public one, extractable. */
export interface KeyPair {
  readonly privateKey: CryptoKey
  readonly publicKey: CryptoKey
}

/** A certificate with its private key. `cert` and `key` are named as in the options of `tls.connect`. */
export interface IssuedCertificate {
  /** PEM. */
  readonly cert: string
  /** PEM, PKCS #8. */
  readonly key: string
  /** What `issue` takes for another certificate of the same key. */
  readonly keyPair: KeyPair
  /** Distinguished name as RFC 4514 writes it, such as `CN=orders`. */
  readonly subject: string
  /** SHA-1 thumbprint in base64url, RFC 7515 §4.1.7. */
  readonly x5t: string
  /** SHA-256 thumbprint in base64url, RFC 7515 §4.1.8 and RFC 8705 §3.1. */
  readonly x5tS256: string
}

/** Gathers what is known of a certificate in PEM. */
export async function describeCertificate(cert: string, keyPair: KeyPair): Promise<IssuedCertificate> {
  const parsed = new X509Certificate(cert)
  return {
    cert,
    key: await exportPKCS8(keyPair.privateKey),
    keyPair,
    subject: subjectOf(parsed),
    x5t: Buffer.from(parsed.fingerprint.replaceAll(':', ''), 'hex').toString('base64url'),
    x5tS256: thumbprintOf(parsed),
  }
}

/** SHA-256 of the whole certificate in base64url, RFC 8705 §3.1. */
export function thumbprintOf(certificate: X509Certificate): string {
  return Buffer.from(certificate.fingerprint256.replaceAll(':', ''), 'hex').toString('base64url')
}

/** The subject with its attributes in the order of RFC 4514 §2.1; what that RFC escapes is not escaped. */
export function subjectOf(certificate: X509Certificate): string {
  return certificate.subject.split('\n').toReversed().join(',')
}

/** The certificate that the client showed on this connection, if it showed one. Says nothing about who signed it. */
export function clientCertificate(socket: Socket): X509Certificate | undefined {
  return socket instanceof TLSSocket ? socket.getPeerX509Certificate() : undefined
}
