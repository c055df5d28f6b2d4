import type { X509Certificate } from 'node:crypto'
import { createSecureContext } from 'node:tls'
import { certificateThumbprint, readCertificate } from '../oauth/certificate-thumbprint.ts'
import type { CredentialFile } from '../oauth/client-auth.ts'
import type { ClientCertificate, MutualTls } from '../oauth/client-certificate.ts'
import { readPrivateKeyPem } from '../oauth/private-key.ts'
import { textReader } from '../credentials/credential-reader.ts'
import { isSecondTry, versionOf } from '../credentials/reading.ts'

/** A client certificate and its key, as PEM text or in files. */
export interface TlsCertificate<Text = string | CredentialFile> {
  /** The certificate, followed by those between it and its authority, if any. */
  readonly cert: Text
  readonly key: Text
  /** The authorities to trust instead of Node's own, for a server with a certificate of a private one. */
  readonly ca?: Text | undefined
  /** Decrypts a key that is encrypted. */
  readonly passphrase?: string | undefined
}

/** A certificate, or what gives one: all of its parts as texts, together. */
export type TlsCertificateSource = TlsCertificate | (() => TlsCertificate<string> | Promise<TlsCertificate<string>>)

type Texts = TlsCertificate<string>

/**
 * Where a certificate comes from. Texts are read at once, so that wrong ones are found when the service starts; files and
 * functions for each attempt. `method` comes first in messages, which tell nothing of certificate or key.
 */
export function certificateReader(
  method: string,
  source: TlsCertificateSource,
): MutualTls & { readonly rotates: boolean } {
  const read = textsReader(method, source)
  let known: KnownCertificate | undefined
  const ready = (texts: Texts): ClientCertificate => {
    const version = versionOf(JSON.stringify([texts.cert, texts.key, texts.ca, texts.passphrase]))
    if (known?.certificate.version !== version) known = makeReady(method, texts, version)
    if (known.x509.validToDate.getTime() <= Date.now()) {
      throw new TypeError(`${method}: cert: the certificate has expired`)
    }
    return known.certificate
  }
  const fixed = isFixed(source)
  if (fixed) ready(source)
  return {
    rotates: !fixed,
    get thumbprint() {
      return known?.certificate.thumbprint
    },
    async read(attempt) {
      try {
        return ready(await read(isSecondTry(attempt)))
      } catch (error) {
        // The two files may have been replaced between reading the one and the other.
        if (!(error instanceof OtherKeyError) || typeof source === 'function') throw error
        return ready(await read(true))
      }
    },
  }
}

interface KnownCertificate {
  readonly certificate: ClientCertificate
  readonly x509: X509Certificate
}

class OtherKeyError extends TypeError {}

function isFixed(source: TlsCertificateSource): source is Texts {
  if (typeof source === 'function') return false
  return [source.cert, source.key, source.ca ?? ''].every((part) => typeof part === 'string')
}

function makeReady(method: string, { cert, key, ca, passphrase }: Texts, version: string): KnownCertificate {
  const x509 = readCertificate(`${method}: cert`, cert)
  if (!x509.checkPrivateKey(readPrivateKeyPem(method, key, passphrase))) {
    throw new OtherKeyError(`${method}: key: is not that of the certificate`)
  }
  if (ca !== undefined) readCertificate(`${method}: ca`, ca)
  try {
    const secureContext = createSecureContext({ cert, key, ca, passphrase })
    const thumbprint = certificateThumbprint(`${method}: cert`, cert, 'sha256')
    return { x509, certificate: Object.freeze({ secureContext, thumbprint, version }) }
  } catch (error) {
    // OpenSSL refuses what is too weak, or a chain that is none; its code says which and tells no content.
    const { code } = error as { readonly code?: unknown }
    throw new TypeError(`${method}: cert: refused by OpenSSL${typeof code === 'string' ? ` with ${code}` : ''}`)
  }
}

function textsReader(method: string, source: TlsCertificateSource): (fresh: boolean) => Promise<Texts> {
  if (typeof source === 'function') {
    return async () => {
      const given: TlsCertificate<string> | undefined = await source()
      const parts = { cert: given?.cert, key: given?.key, ca: given?.ca, passphrase: given?.passphrase }
      for (const [name, part] of Object.entries(parts)) {
        const isText = typeof part === 'string' && part.length > 0
        if (isText || (part === undefined && name !== 'cert' && name !== 'key')) continue
        throw new TypeError(`${method}: ${name}: the provider must give a non-empty string`)
      }
      return given
    }
  }
  if (typeof source !== 'object' || source === null) {
    throw new TypeError(`${method}: expected { cert, key } or a function that gives them`)
  }
  const { cert, key, ca, passphrase } = source
  const readers = {
    cert: textReader(`${method}: cert`, cert),
    key: textReader(`${method}: key`, key),
    ca: ca === undefined ? undefined : textReader(`${method}: ca`, ca),
  }
  return async (fresh) => {
    const [certificate, privateKey, authorities] = await Promise.all([
      readers.cert(fresh),
      readers.key(fresh),
      readers.ca?.(fresh),
    ])
    return { cert: certificate.value, key: privateKey.value, ca: authorities?.value, passphrase }
  }
}
