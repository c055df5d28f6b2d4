import { createPrivateKey, KeyObject, type webcrypto } from 'node:crypto'
import type { JWK } from 'jose'

/** A private key in one of the forms that {@link privateKeyJwt} takes. */
export type PrivateKey = string | JWK | webcrypto.CryptoKey | KeyObject

/** A key that can sign, and what it signs with. */
export interface SigningKey {
  readonly key: webcrypto.CryptoKey | KeyObject
  /** JOSE algorithm (RFC 7518 §3.1, RFC 8037, RFC 9864). */
  readonly algorithm: string
  readonly keyId: string | undefined
}

const curves: Readonly<Record<string, string>> = { prime256v1: 'ES256', secp384r1: 'ES384', secp521r1: 'ES512' }
const namedCurves: Readonly<Record<string, string>> = { 'P-256': 'ES256', 'P-384': 'ES384', 'P-521': 'ES512' }

/**
 * Reads a private key once, so that a wrong one is found when the service starts.
 * Throws a `TypeError` that never tells anything of the key.
 */
export function readPrivateKey(method: string, key: PrivateKey, algorithm: string | undefined): SigningKey {
  const jwk = isJwk(key) ? key : undefined
  const signing = key instanceof CryptoKey ? checkCryptoKey(method, key) : toKeyObject(method, key)
  const possible = signing instanceof KeyObject ? algorithmsOf(signing) : algorithmsOfCryptoKey(signing)
  const chosen = algorithm ?? jwk?.alg ?? possible[0]
  if (chosen === undefined || !possible.includes(chosen)) {
    const list = possible.length === 0 ? 'an RSA, EC or Ed25519 key' : `one of ${possible.join(', ')} for this key`
    throw new TypeError(`${method}: algorithm: expected ${list}`)
  }
  return { key: signing, algorithm: chosen, keyId: jwk?.kid }
}

function isJwk(key: PrivateKey): key is JWK {
  return typeof key === 'object' && key !== null && !(key instanceof CryptoKey) && !(key instanceof KeyObject)
}

function checkCryptoKey(method: string, key: webcrypto.CryptoKey): webcrypto.CryptoKey {
  if (key.type === 'private' && key.usages.includes('sign')) return key
  throw new TypeError(`${method}: key: expected a private CryptoKey with the usage 'sign'`)
}

function toKeyObject(method: string, key: Exclude<PrivateKey, webcrypto.CryptoKey>): KeyObject {
  if (key instanceof KeyObject) {
    if (key.type === 'private') return key
    throw new TypeError(`${method}: key: expected a private KeyObject, got a ${key.type} one`)
  }
  if (typeof key === 'string' && key.includes('ENCRYPTED')) {
    throw new TypeError(
      `${method}: key: the PEM is encrypted; give createPrivateKey({ key, passphrase }) of node:crypto instead`,
    )
  }
  if (typeof key === 'string' && key.includes('-----BEGIN') && !key.includes('PRIVATE KEY')) {
    throw new TypeError(`${method}: key: expected a private key, got the PEM of something else`)
  }
  try {
    if (typeof key === 'string') return createPrivateKey(key)
    return createPrivateKey({ key, format: 'jwk' })
  } catch {
    // OpenSSL's reason may quote the input, so it does not become the cause.
    throw new TypeError(`${method}: key: expected a private key as PEM text, JWK, CryptoKey or KeyObject`)
  }
}

function algorithmsOf(key: KeyObject): readonly string[] {
  switch (key.asymmetricKeyType) {
    case 'rsa':
      return ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512']
    case 'rsa-pss':
      return ['PS256', 'PS384', 'PS512']
    case 'ec':
      return [curves[key.asymmetricKeyDetails?.namedCurve ?? '']].filter((name) => name !== undefined)
    case 'ed25519':
      return ['EdDSA', 'Ed25519']
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
  if (name === 'Ed25519') return ['EdDSA', 'Ed25519']
  return []
}
