import { createPublicKey, generateKeyPairSync, hash, KeyObject, sign, verify, type webcrypto } from 'node:crypto'
import type { JWK } from 'jose'
import { readPrivateKey, type PrivateKey } from './private-key.ts'
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
  checkForm(privateKey, path)
  const signing = readSigningKey(path, privateKey, { algorithm })
  const otherHalf = publicKey === undefined ? publicHalf(privateKey, path) : givenHalf(privateKey, publicKey, path)
  checkPair(privateKey, otherHalf, path)
  return dpopKey(signing, otherHalf)
}

function dpopKey(signing: SigningKey, publicKey: KeyObject): DpopKey {
  const exported = Object.entries(publicKey.export({ format: 'jwk' }))
  const publicJwk = Object.fromEntries(exported.filter(([name]) => publicMembers.has(name))) as JWK
  // RFC 7638 §3: the required members, which are all that there are, in lexicographic order. jose's own is asynchronous,
  // and a token's key is needed at once.
  const members = Object.entries(publicJwk).toSorted(([a], [b]) => (a < b ? -1 : 1))
  return Object.freeze({
    signing,
    publicJwk: Object.freeze(publicJwk),
    thumbprint: hash('sha256', JSON.stringify(Object.fromEntries(members)), 'base64url'),
  })
}

// RFC 7518 §6.2.1 and §6.3.1, RFC 8037 §2. The private ones have names of their own.
const publicMembers: ReadonlySet<string> = new Set(['kty', 'crv', 'x', 'y', 'n', 'e'])

function checkForm(key: PrivateKey, path: string): void {
  if (typeof key === 'string' && key.includes('ENCRYPTED')) {
    throw new TypeError(`${path}: key: the PEM is encrypted: expected one that is not, or a KeyObject made of it`)
  }
  if (typeof key !== 'string' && (typeof key !== 'object' || key === null || 'sign' in key)) {
    throw new TypeError(
      `${path}: key: expected a private key as PEM text, JWK, CryptoKey or KeyObject, or a CryptoKeyPair`,
    )
  }
  if (key instanceof KeyObject && key.asymmetricKeyType === 'rsa-pss') {
    throw new TypeError(`${path}: key: an rsa-pss key has no form as a JWK: expected an rsa one, with algorithm PS256`)
  }
}

function checkPair(privateKey: PrivateKey, publicKey: KeyObject, path: string): void {
  if (areAPair(privateKey, publicKey)) return
  throw new TypeError(`${path}: key: expected the public key that belongs to the private one`)
}

function areAPair(privateKey: PrivateKey, publicKey: KeyObject): boolean {
  // One that is locked up cannot be tried out here.
  if (privateKey instanceof CryptoKey && !privateKey.extractable) return true
  const algorithm = publicKey.asymmetricKeyType === 'ed25519' ? null : 'sha256'
  const data = Buffer.from('of one pair')
  const readable = readPrivateKey('dpop', privateKey, undefined)
  const signature = sign(algorithm, data, readable instanceof KeyObject ? readable : KeyObject.from(readable))
  return verify(algorithm, data, publicKey, signature)
}

// What comes out here goes into every proof, so nothing is ever exported from a private key.
function givenHalf(privateKey: PrivateKey, publicKey: webcrypto.CryptoKey, path: string): KeyObject {
  const algorithms = [privateKey as webcrypto.CryptoKey, publicKey].map(({ algorithm }) => {
    const { name, namedCurve, modulusLength } = algorithm as unknown as Readonly<Record<string, unknown>>
    return JSON.stringify([name, namedCurve, modulusLength])
  })
  if (publicKey.type === 'public' && algorithms[0] === algorithms[1]) return KeyObject.from(publicKey)
  throw new TypeError(`${path}: key: expected the public key that belongs to the private one`)
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
  const { privateKey, publicKey } = ((material as unknown) ?? {}) as Partial<webcrypto.CryptoKeyPair>
  return privateKey instanceof CryptoKey && publicKey instanceof CryptoKey
}
