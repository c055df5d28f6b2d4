import { randomBytes } from 'node:crypto'

import { exportJWK, exportPKCS8, generateKeyPair, type CryptoKey, type JWK } from 'jose'

import type { ClientDefinition, ClientMethod } from './client-definition.ts'

/** A registered client that authenticates by a shared secret. */
export interface SecretClient {
  readonly clientId: string
  readonly method: Exclude<ClientMethod, 'private_key_jwt'>
  readonly secret: string
}

/** A registered client that signs its assertions, with its private key in each form that a caller may hold it. */
export interface PrivateKeyClient {
  readonly clientId: string
  readonly method: 'private_key_jwt'
  readonly algorithm: 'RS256' | 'ES256'
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

/** The clients that every authorization server has registered, one for each method and more. */
export interface ReadyClients {
  /** `client_secret_basic`; its secret has a colon, a percent sign, a space and a plus sign. */
  readonly basic: SecretClient
  /** `client_secret_basic` with a secret of letters and digits, the same in every encoding. */
  readonly basicPlain: SecretClient
  /** `client_secret_post` with the secret of `basic`. */
  readonly post: SecretClient
  /** `client_secret_jwt`, HS256. */
  readonly clientSecretJwt: SecretClient
  /** `private_key_jwt`, RS256. */
  readonly privateKeyJwt: PrivateKeyClient
  /** `private_key_jwt`, ES256. */
  readonly privateKeyJwtEs256: PrivateKeyClient
}

// Each character here is changed by some encoder that forgets RFC 6749 §2.3.1, or by some decoder.
const awkwardSecret = 'p:a%s s+w/-._~'

/** Generates the keys of the ready clients. */
export async function createReadyClients(): Promise<ReadyClients> {
  const [privateKeyJwt, privateKeyJwtEs256] = await Promise.all([
    createPrivateKeyClient('orders-rs256', 'RS256'),
    createPrivateKeyClient('orders-es256', 'ES256'),
  ])
  return {
    basic: { clientId: 'orders-basic', method: 'client_secret_basic', secret: awkwardSecret },
    basicPlain: { clientId: 'orders-plain', method: 'client_secret_basic', secret: 'plainSecret0123456789' },
    post: { clientId: 'orders-post', method: 'client_secret_post', secret: awkwardSecret },
    // RFC 7518 §3.2: an HS256 key has at least 256 bits.
    clientSecretJwt: {
      clientId: 'orders-hs256',
      method: 'client_secret_jwt',
      secret: randomBytes(32).toString('base64url'),
    },
    privateKeyJwt,
    privateKeyJwtEs256,
  }
}

/** The definitions by which the ready clients are registered. */
export function toDefinitions(clients: ReadyClients): ClientDefinition[] {
  return Object.values(clients).map((client: SecretClient | PrivateKeyClient) => {
    if (client.method !== 'private_key_jwt') return client
    const { clientId, method, algorithm, publicJwk } = client
    return { clientId, method, algorithm, publicJwks: { keys: [publicJwk] } }
  })
}

async function createPrivateKeyClient(clientId: string, algorithm: 'RS256' | 'ES256'): Promise<PrivateKeyClient> {
  const { privateKey, publicKey } = await generateKeyPair(algorithm, { extractable: true })
  const kid = `${clientId}-1`
  return {
    clientId,
    method: 'private_key_jwt',
    algorithm,
    kid,
    privateKeyPem: await exportPKCS8(privateKey),
    privateJwk: { ...(await exportJWK(privateKey)), kid, alg: algorithm },
    privateKey,
    publicJwk: { ...(await exportJWK(publicKey)), kid, alg: algorithm },
  }
}
