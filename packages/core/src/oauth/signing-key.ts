import { createPublicKey, hash, KeyObject, type webcrypto } from 'node:crypto'
import { SignJWT, type JWK, type JWTHeaderParameters, type JWTPayload } from 'jose'
import { algorithmsOf, isTooShort, readPrivateKey, signatureAlgorithms, type PrivateKey } from './private-key.ts'

/** What signs with a key that nobody can read: a KMS or an HSM. */
export interface ExternalSigner {
  /** JOSE algorithm of its signatures, such as `ES256`. */
  readonly algorithm: string
  /** The `kid` header, by which the server finds the public key. Default none. */
  readonly keyId?: string | undefined
  /**
   * Signs these bytes, which are not hashed yet. The signature is as JOSE has it: for `ES256` and its like r and s one
   * after the other (RFC 7518 §3.4), not DER. `signal` aborts when the attempt is given up.
   */
  sign(data: Uint8Array, options: { readonly signal: AbortSignal | undefined }): Uint8Array | Promise<Uint8Array>
}

/** A key that signs JWTs. Nothing can be read from it. */
export interface SigningKey {
  readonly algorithm: string
  readonly keyId: string | undefined
  /** Another one for another key; undefined where that cannot be told. */
  readonly version: string | undefined
  sign(header: Readonly<Record<string, unknown>>, claims: JWTPayload, signal?: AbortSignal): Promise<string>
}

/** How a key is to be read. */
export interface SigningKeyOptions {
  readonly algorithm?: string | undefined
  readonly passphrase?: string | undefined
}

/**
 * Makes a key ready for signing. `method` comes first in messages.
 * Throws a `TypeError` for a key that is not private or does not fit the algorithm; it never tells anything of the key.
 */
export function readSigningKey(
  method: string,
  key: PrivateKey | ExternalSigner,
  options: SigningKeyOptions,
): SigningKey {
  if (isExternalSigner(key)) return externalKey(method, key, options)
  const jwk = isJwk(key) ? key : undefined
  const readable = readPrivateKey(method, key, options.passphrase)
  const possible = algorithmsOf(readable)
  const chosen = options.algorithm ?? jwk?.alg ?? possible[0]
  if (chosen === undefined || !possible.includes(chosen)) {
    const list = possible.length === 0 ? 'an RSA, EC or Ed25519 key' : `one of ${possible.join(', ')} for this key`
    // Told since a preset may have chosen it; anything else may be a secret in the wrong place.
    const instead = chosen !== undefined && signatureAlgorithms.includes(chosen) ? `, not ${chosen}` : ''
    throw new TypeError(`${method}: algorithm: expected ${list}${instead}`)
  }
  if (isTooShort(readable)) throw new TypeError(`${method}: key: expected an RSA key of at least 2048 bits`)
  return {
    algorithm: chosen,
    keyId: jwk?.kid,
    get version() {
      return versionOf(readable, jwk?.kid)
    },
    sign: (header, claims) => new SignJWT(claims).setProtectedHeader(header as JWTHeaderParameters).sign(readable),
  }
}

/** Is it a function of somebody else that signs, rather than a key? */
function isExternalSigner(key: unknown): key is ExternalSigner {
  return typeof (key as Partial<ExternalSigner> | null | undefined)?.sign === 'function'
}

function isJwk(key: PrivateKey): key is JWK {
  return typeof key === 'object' && key !== null && !(key instanceof CryptoKey) && !(key instanceof KeyObject)
}

function externalKey(method: string, signer: ExternalSigner, options: SigningKeyOptions): SigningKey {
  const { algorithm, keyId } = signer
  if (!signatureAlgorithms.includes(algorithm)) {
    throw new TypeError(`${method}: key.algorithm: expected one of ${signatureAlgorithms.join(', ')}`)
  }
  if (options.algorithm !== undefined && options.algorithm !== algorithm) {
    throw new TypeError(`${method}: algorithm: is not that of key.algorithm`)
  }
  const part = (json: object) => Buffer.from(JSON.stringify(json)).toString('base64url')
  return {
    algorithm,
    keyId,
    version: keyId,
    sign: async (header, claims, signal) => {
      const input = `${part(header)}.${part(claims)}`
      const signature: unknown = await signer.sign(Buffer.from(input), { signal })
      checkSignature(method, algorithm, signature)
      return `${input}.${Buffer.from(signature).toString('base64url')}`
    },
  }
}

// RFC 7518 §3.4, RFC 8032 §5.1.6. An RSA signature is as long as its key.
const signatureBytes: Readonly<Record<string, number>> = { ES256: 64, ES384: 96, ES512: 132, EdDSA: 64, Ed25519: 64 }

function checkSignature(method: string, algorithm: string, signature: unknown): asserts signature is Uint8Array {
  const expected = signatureBytes[algorithm]
  const size = signature instanceof Uint8Array ? signature.byteLength : 0
  if (size > 0 && (expected === undefined || size === expected)) return
  const wanted = expected === undefined ? 'the signature' : `a signature of ${expected} bytes`
  const notDer = algorithm.startsWith('ES') ? ': r and s one after the other, not DER' : ''
  throw new TypeError(`${method}: key.sign: expected ${wanted} as a Uint8Array${notDer}`)
}

// The public half tells one key from another, whatever form each came in, and its name may be what was wrong. A CryptoKey
// may keep even that to itself.
function versionOf(key: webcrypto.CryptoKey | KeyObject, keyId: string | undefined): string | undefined {
  if (!(key instanceof KeyObject) && !key.extractable) return undefined
  const readable = key instanceof KeyObject ? key : KeyObject.from(key)
  const thumbprint = hash('sha256', createPublicKey(readable).export({ type: 'spki', format: 'der' }), 'base64url')
  return keyId === undefined ? thumbprint : `${thumbprint} ${keyId}`
}
