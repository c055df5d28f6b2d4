import 'reflect-metadata'
import { randomBytes } from 'node:crypto'
import { isIP } from 'node:net'

import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
  type Extension,
  type JsonGeneralName,
} from '@peculiar/x509'
import { generateKeyPair } from 'jose'

import type { CertificateOptions } from './certificate-authority.ts'
import { describeCertificate, type IssuedCertificate, type KeyPair } from './issued-certificate.ts'

/** What signs certificates. */
export interface Root {
  /** PEM. */
  readonly cert: string
  readonly name: string
  readonly keys: KeyPair
}

const dayMs = 24 * 60 * 60 * 1000

/** Makes the certificate of an authority. Its name is its own, so that a chain is never mistaken for another's. */
export async function signRoot(): Promise<Root> {
  const keys = await generateKeyPair('ES256', { extractable: true })
  const name = `CN=Test CA ${randomBytes(4).toString('hex')}`
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name,
    keys,
    notBefore: new Date(Date.now() - dayMs),
    notAfter: new Date(Date.now() + dayMs),
    signingAlgorithm: signingAlgorithm(keys),
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
    ],
  })
  return { cert: certificate.toString('pem'), name, keys }
}

/** Makes one certificate. Rejects with a TypeError if `commonName` is empty or the end is not after the beginning. */
export async function signCertificate(options: CertificateOptions, root: Root): Promise<IssuedCertificate> {
  const { commonName, days = 1, selfSigned = false, algorithm = 'ES256' } = options
  const notAfter = options.notAfter ?? new Date(Date.now() + days * dayMs)
  const notBefore = options.notBefore ?? new Date(Math.min(Date.now() - 5 * 60_000, notAfter.getTime() - dayMs))
  if (commonName === '') throw new TypeError('commonName must not be empty')
  if (!(notAfter > notBefore)) throw new TypeError('notAfter must be later than notBefore')

  const keyPair = options.keyPair ?? (await generateKeyPair(algorithm, { extractable: true }))
  const subject = [{ CN: [commonName] }]
  const signer = selfSigned ? keyPair : root.keys
  const certificate = await X509CertificateGenerator.create({
    subject,
    issuer: selfSigned ? subject : root.name,
    publicKey: keyPair.publicKey,
    signingKey: signer.privateKey,
    signingAlgorithm: signingAlgorithm(signer),
    notBefore,
    notAfter,
    extensions: extensions(options),
  })
  return describeCertificate(certificate.toString('pem'), keyPair)
}

function extensions({ usage, sans = [] }: CertificateOptions): Extension[] {
  const usages = usage === undefined ? (['client', 'server'] as const) : [usage]
  return [
    new BasicConstraintsExtension(false, undefined, true),
    new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
    new ExtendedKeyUsageExtension(usages.map((each) => ExtendedKeyUsage[`${each}Auth`])),
    ...(sans.length === 0 ? [] : [new SubjectAlternativeNameExtension(sans.map(generalName))]),
  ]
}

function generalName(value: string): JsonGeneralName {
  if (isIP(value) !== 0) return { type: 'ip', value }
  if (value.includes('://')) return { type: 'url', value }
  return { type: value.includes('@') ? 'email' : 'dns', value }
}

function signingAlgorithm({ privateKey }: KeyPair): { name: string; hash: string } {
  return { name: privateKey.algorithm.name, hash: 'SHA-256' }
}
