import { createPrivateKey, KeyObject, type webcrypto } from 'node:crypto'
import type { JWK } from 'jose'

/** A private key: PEM text, JWK, `CryptoKey` or `KeyObject`. */
export type PrivateKey = string | JWK | webcrypto.CryptoKey | KeyObject

const curves: Readonly<Record<string, string>> = { prime256v1: 'ES256', secp384r1: 'ES384', secp521r1: 'ES512' }
const namedCurves: Readonly<Record<string, string>> = { 'P-256': 'ES256', 'P-384': 'ES384', 'P-521': 'ES512' }
const rsa = ['RS256', 'RS384', 'RS512']
const rsaPss = ['PS256', 'PS384', 'PS512']
const edwards = ['EdDSA', 'Ed25519']

/** Every algorithm that a private key may sign with: RFC 7518 §3.1, RFC 8037 §3.1, RFC 9864. */
export const signatureAlgorithms: readonly string[] = [...rsa, ...rsaPss, ...Object.values(curves), ...edwards]

/**
 * A private key in a form that can sign. `method` comes first in messages.
 * Throws a `TypeError` that never tells anything of the key.
 */
export function readPrivateKey(
  method: string,
  key: PrivateKey,
  passphrase: string | undefined,
): webcrypto.CryptoKey | KeyObject {
  if (key instanceof CryptoKey) return checkCryptoKey(method, key)
  if (typeof key === 'string') return readPrivateKeyPem(method, key, passphrase)
  if (key instanceof KeyObject) {
    if (key.type === 'private') return key
    throw new TypeError(`${method}: key: expected a private KeyObject, got a ${key.type} one`)
  }
  try {
    return createPrivateKey({ key, format: 'jwk' })
  } catch {
    throw new TypeError(`${method}: key: expected a private key as PEM text, JWK, CryptoKey or KeyObject`)
  }
}

/** Algorithms that this key can sign with, the usual one first; none for a key of another kind. */
export function algorithmsOf(key: webcrypto.CryptoKey | KeyObject): readonly string[] {
  return key instanceof KeyObject ? algorithmsOfKeyObject(key) : algorithmsOfCryptoKey(key)
}

/** Is it an RSA key that is too short for any algorithm (RFC 7518 §3.3)? */
export function isTooShort(key: webcrypto.CryptoKey | KeyObject): boolean {
  const { modulusLength } = (key instanceof KeyObject ? key.asymmetricKeyDetails : key.algorithm) as {
    readonly modulusLength?: number
  }
  return modulusLength !== undefined && modulusLength < 2048
}

/** The same, of PEM text alone. */
export function readPrivateKeyPem(method: string, pem: string, passphrase: string | undefined): KeyObject {
  const encrypted = pem.includes('ENCRYPTED')
  if (encrypted && passphrase === undefined) {
    throw new TypeError(`${method}: passphrase: must be given, the PEM of the key is encrypted`)
  }
  if (pem.includes('-----BEGIN') && !pem.includes('PRIVATE KEY')) {
    throw new TypeError(`${method}: key: expected a private key, got the PEM of something else`)
  }
  try {
    return createPrivateKey(passphrase === undefined ? pem : { key: pem, passphrase })
  } catch {
    // OpenSSL's reason may quote the input, so it does not become the cause.
    if (encrypted) throw new TypeError(`${method}: passphrase: the PEM of the key cannot be decrypted with it`)
    throw new TypeError(`${method}: key: expected a private key as PEM text`)
  }
}

function checkCryptoKey(method: string, key: webcrypto.CryptoKey): webcrypto.CryptoKey {
  if (key.type === 'private' && key.usages.includes('sign')) return key
  throw new TypeError(`${method}: key: expected a private CryptoKey with the usage 'sign'`)
}

function algorithmsOfKeyObject(key: KeyObject): readonly string[] {
  switch (key.asymmetricKeyType) {
    case 'rsa':
      return [...rsa, ...rsaPss]
    case 'rsa-pss':
      return rsaPss
    case 'ec':
      return [curves[key.asymmetricKeyDetails?.namedCurve ?? '']].filter((name) => name !== undefined)
    case 'ed25519':
      return edwards
    default:
      return []
  }
}

function algorithmsOfCryptoKey(key: webcrypto.CryptoKey): readonly string[] {
  const { name, hash, namedCurve } = key.algorithm as { name: string; hash?: { name: string }; namedCurve?: string }
  const bits = hash?.name.replace('SHA-', '') ?? ''
  if (name === 'RSASSA-PKCS1-v1_5') return [`RS${bits}`]
  if (name === 'RSA-PSS') return [`PS${bits}`]
  if (name === 'ECDSA') return [namedCurves[namedCurve ?? '']].filter((curve) => curve !== undefined)
  if (name === 'Ed25519') return edwards
  return []
}
