import { createPublicKey, generateKeyPairSync, hash, KeyObject, type webcrypto } from 'node:crypto'
import type { JWK } from 'jose'
import type { PrivateKey } from './private-key.ts'
import { readSigningKey, type SigningKey } from './signing-key.ts'

/** A key pair that access tokens are bound to (RFC 9449 §5). */
export interface DpopKey {
  readonly signing: SigningKey
  /** Nothing but the public members: it travels in every proof. */
  readonly publicJwk: JWK
  /** JWK SHA-256 thumbprint (RFC 7638), as in a bound token's `cnf.jkt`. */
  readonly thumbprint: string
}

/** A private key in any form of which the public one can be told, or both halves. */
export type DpopKeyMaterial = PrivateKey | webcrypto.CryptoKeyPair

/** A new P-256 key pair for `ES256`; the private half cannot be taken out of the process's memory by any API. */
export function generateDpopKey(): DpopKey {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const locked = privateKey.toCryptoKey({ name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign'])
  return dpopKey(readSigningKey('dpop', locked, {}), publicKey)
}

/** Throws a `TypeError` for a key that cannot sign, or whose public half cannot be told; it never tells anything of it. */
export function readDpopKey(material: DpopKeyMaterial, algorithm: string | undefined, path: string): DpopKey {
  const { privateKey, publicKey } = isPair(material) ? material : { privateKey: material, publicKey: undefined }
  const signing = readSigningKey(path, privateKey, { algorithm })
  return dpopKey(signing, publicKey === undefined ? publicHalf(privateKey, path) : KeyObject.from(publicKey))
}

function dpopKey(signing: SigningKey, publicKey: KeyObject): DpopKey {
  const publicJwk = publicKey.export({ format: 'jwk' }) as JWK
  // RFC 7638 §3: the required members, which are all that there are, in lexicographic order. jose's own is asynchronous,
  // and a token's key is needed at once.
  const members = Object.entries(publicJwk).toSorted(([a], [b]) => (a < b ? -1 : 1))
  return Object.freeze({
    signing,
    publicJwk: Object.freeze(publicJwk),
    thumbprint: hash('sha256', JSON.stringify(Object.fromEntries(members)), 'base64url'),
  })
}

function publicHalf(key: PrivateKey, path: string): KeyObject {
  if (typeof key === 'string') return createPublicKey(key)
  if (key instanceof KeyObject) return createPublicKey(key)
  if (!(key instanceof CryptoKey)) return createPublicKey({ key, format: 'jwk' })
  if (key.extractable) return createPublicKey(KeyObject.from(key))
  throw new TypeError(
    `${path}: key: expected { privateKey, publicKey }: a CryptoKey that is not extractable does not tell its other half`,
  )
}

function isPair(material: DpopKeyMaterial): material is webcrypto.CryptoKeyPair {
  const { privateKey, publicKey } = material as Partial<webcrypto.CryptoKeyPair>
  return privateKey instanceof CryptoKey && publicKey instanceof CryptoKey
}
