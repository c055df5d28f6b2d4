import { exportJWK, exportPKCS8, generateKeyPair, importJWK, type CryptoKey, type JWK } from 'jose'

import { keyAlgorithms, type KeyAlgorithm } from '../jwt/key-algorithms.ts'

/** A private key in each form that a caller may hold it. */
export interface SigningKey {
  readonly algorithm: KeyAlgorithm
  readonly kid: string
  /** PEM text, PKCS #8. */
  readonly privateKeyPem: string
  /** With `kid` and `alg`. */
  readonly privateJwk: JWK
  /** Extractable, for signing. */
  readonly privateKey: CryptoKey
  /** With `kid` and `alg`. */
  readonly publicJwk: JWK
}

/** Makes a key for each algorithm. Those of RSA are one key, which would otherwise take most of a server's start. */
export async function createSigningKeys(
  kidOf: (algorithm: KeyAlgorithm) => string,
): Promise<Record<KeyAlgorithm, SigningKey>> {
  const rsa = exportedKey('RS256')
  const keys = await Promise.all(
    keyAlgorithms.map(async (algorithm) => {
      const jwk = await (/^[RP]S/.test(algorithm) ? rsa : exportedKey(algorithm))
      return [algorithm, await toSigningKey(jwk, algorithm, kidOf(algorithm))] as const
    }),
  )
  return Object.fromEntries(keys) as Record<KeyAlgorithm, SigningKey>
}

async function exportedKey(algorithm: KeyAlgorithm): Promise<JWK> {
  const { privateKey } = await generateKeyPair(algorithm, { extractable: true })
  return exportJWK(privateKey)
}

async function toSigningKey(jwk: JWK, algorithm: KeyAlgorithm, kid: string): Promise<SigningKey> {
  const privateJwk = { ...jwk, kid, alg: algorithm }
  const privateKey = (await importJWK(privateJwk, algorithm, { extractable: true })) as CryptoKey
  const { kty, crv, x, y, n, e } = jwk
  const publicJwk = JSON.parse(JSON.stringify({ kty, crv, x, y, n, e, kid, alg: algorithm })) as JWK
  return { algorithm, kid, privateKeyPem: await exportPKCS8(privateKey), privateJwk, privateKey, publicJwk }
}
