import 'reflect-metadata'
import { hash, X509Certificate, type webcrypto } from 'node:crypto'
import * as x509 from '@peculiar/x509'

/** A certificate with its key, as PEM text. */
export interface Identity {
  readonly cert: string
  readonly key: string
  /** `x5t#S256`. */
  readonly thumbprint: string
  readonly keys: webcrypto.CryptoKeyPair
}

/** A certificate authority. */
export interface Authority {
  /** Its own certificate, for those who trust it. */
  readonly ca: string
  issue(options: IssueOptions): Promise<Identity>
}

export interface IssueOptions {
  readonly commonName: string
  /** Default: from an hour ago. */
  readonly notBefore?: Date
  /** Default: in an hour. */
  readonly notAfter?: Date
  /** Default: a new pair. */
  readonly keys?: webcrypto.CryptoKeyPair
}

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
const hour = 3_600_000

export async function createAuthority(name = 'Test authority'): Promise<Authority> {
  const keys = await createKeys()
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    ...validity({}),
    name: `CN=${name}`,
    keys,
    signingAlgorithm: algorithm,
    extensions: [new x509.BasicConstraintsExtension(true, 1, true)],
  })
  return {
    ca: certificate.toString('pem'),
    issue: async (options) => {
      const own = options.keys ?? (await createKeys())
      const issued = await x509.X509CertificateGenerator.create({
        ...validity(options),
        subject: `CN=${options.commonName}`,
        issuer: certificate.subject,
        publicKey: own.publicKey,
        signingKey: keys.privateKey,
        signingAlgorithm: algorithm,
        extensions: [new x509.SubjectAlternativeNameExtension([{ type: 'ip', value: '127.0.0.1' }])],
      })
      return identityOf(issued.toString('pem'), own)
    },
  }
}

export async function createSelfSigned(options: IssueOptions): Promise<Identity> {
  const keys = options.keys ?? (await createKeys())
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    ...validity(options),
    name: `CN=${options.commonName}`,
    keys,
    signingAlgorithm: algorithm,
  })
  return identityOf(certificate.toString('pem'), keys)
}

function validity({ notBefore, notAfter }: Partial<IssueOptions>): { notBefore: Date; notAfter: Date } {
  return { notBefore: notBefore ?? new Date(Date.now() - hour), notAfter: notAfter ?? new Date(Date.now() + hour) }
}

function createKeys(): Promise<webcrypto.CryptoKeyPair> {
  return crypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
}

async function identityOf(cert: string, keys: webcrypto.CryptoKeyPair): Promise<Identity> {
  const der = Buffer.from(await crypto.subtle.exportKey('pkcs8', keys.privateKey)).toString('base64')
  const key = `-----BEGIN PRIVATE KEY-----\n${der.match(/.{1,64}/g)?.join('\n')}\n-----END PRIVATE KEY-----\n`
  return { cert, key, keys, thumbprint: hash('sha256', new X509Certificate(cert).raw, 'base64url') }
}
