import { hash, X509Certificate } from 'node:crypto'

/**
 * A certificate's thumbprint as JOSE has it: base64url of its hash, `sha1` for `x5t` (RFC 7515 §4.1.7) and `sha256` for
 * `x5t#S256` (RFC 7515 §4.1.8). Of several certificates in one PEM text, that of the first.
 * `option` comes first in the message of the `TypeError` for a text that is no certificate.
 */
export function certificateThumbprint(option: string, pem: string, algorithm: 'sha1' | 'sha256'): string {
  return hash(algorithm, readCertificate(option, pem).raw, 'base64url')
}

/** A certificate from PEM text. */
export function readCertificate(option: string, pem: unknown): X509Certificate {
  try {
    if (typeof pem === 'string') return new X509Certificate(pem)
  } catch {
    // Told below: OpenSSL's reason says no more, and the text may be a private key by mistake.
  }
  throw new TypeError(`${option}: expected a certificate as PEM text`)
}
