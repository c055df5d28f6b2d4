import { randomBytes } from 'node:crypto'

import { keyAlgorithms, type KeyAlgorithm } from '../jwt/key-algorithms.ts'
import type { ClientDefinition } from './client-definition.ts'
import { createSigningKeys, type SigningKey } from './signing-keys.ts'

/** Algorithms of `client_secret_jwt`, RFC 7518 §3.2. */
export type SecretAlgorithm = 'HS256' | 'HS384' | 'HS512'

/** A registered client that authenticates by a shared secret. */
export interface SecretClient {
  readonly clientId: string
  readonly method: 'client_secret_basic' | 'client_secret_post' | 'client_secret_jwt'
  readonly secret: string
  /** Of `client_secret_jwt`: the only one accepted. */
  readonly algorithm?: SecretAlgorithm
}

/** A registered client that signs its assertions, with its private key in each form that a caller may hold it. */
export interface PrivateKeyClient extends SigningKey {
  readonly clientId: string
  readonly method: 'private_key_jwt'
}

/** A registered client that does not authenticate. */
export interface PublicClient {
  readonly clientId: string
  readonly method: 'none'
}

/** One client for each algorithm of `private_key_jwt` and of `client_secret_jwt`. */
export type ClientsByAlgorithm = Readonly<
  Record<KeyAlgorithm, PrivateKeyClient> & Record<SecretAlgorithm, SecretClient>
>

/** The clients that every authorization server has registered, one for each method without TLS and more. */
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
  /** `private_key_jwt` and `client_secret_jwt` with every algorithm; the three above are among them. */
  readonly byAlgorithm: ClientsByAlgorithm
  /** `client_secret_basic` with a plain secret, and a key that its assertions of the jwt-bearer grant are signed with. */
  readonly basicWithKey: SecretClient & { readonly signingKey: SigningKey }
  /** `client_secret_basic` with a plain secret; its tokens are bound by DPoP, without a proof it gets none. */
  readonly dpop: SecretClient
  /** `none`: codes and refresh tokens only. */
  readonly publicClient: PublicClient
}

// Each character here is changed by some encoder that forgets RFC 6749 §2.3.1, or by some decoder.
const awkwardSecret = 'p:a%s s+w/-._~'
const plainSecret = 'plainSecret0123456789'

/** Generates the keys of the ready clients. */
export async function createReadyClients(): Promise<ReadyClients> {
  const keys = await createSigningKeys((algorithm) => `orders-${algorithm.toLowerCase()}-1`)
  const byAlgorithm = {
    ...(Object.fromEntries(keyAlgorithms.map((algorithm) => [algorithm, privateKeyClient(keys[algorithm])])) as Record<
      KeyAlgorithm,
      PrivateKeyClient
    >),
    HS256: secretJwtClient('HS256'),
    HS384: secretJwtClient('HS384'),
    HS512: secretJwtClient('HS512'),
  }
  return {
    basic: { clientId: 'orders-basic', method: 'client_secret_basic', secret: awkwardSecret },
    basicPlain: { clientId: 'orders-plain', method: 'client_secret_basic', secret: plainSecret },
    post: { clientId: 'orders-post', method: 'client_secret_post', secret: awkwardSecret },
    clientSecretJwt: byAlgorithm.HS256,
    privateKeyJwt: byAlgorithm.RS256,
    privateKeyJwtEs256: byAlgorithm.ES256,
    byAlgorithm,
    basicWithKey: {
      clientId: 'orders-with-key',
      method: 'client_secret_basic',
      secret: plainSecret,
      signingKey: keys.ES256,
    },
    dpop: { clientId: 'orders-dpop', method: 'client_secret_basic', secret: plainSecret },
    publicClient: { clientId: 'orders-public', method: 'none' },
  }
}

/** The definitions by which the ready clients are registered. */
export function toDefinitions(clients: ReadyClients): ClientDefinition[] {
  const { basic, basicPlain, post, byAlgorithm, basicWithKey, dpop, publicClient } = clients
  const { signingKey, ...withKey } = basicWithKey
  return [
    basic,
    basicPlain,
    post,
    publicClient,
    ...Object.values(byAlgorithm).map(toDefinition),
    { ...withKey, publicJwks: { keys: [signingKey.publicJwk] } },
    { ...dpop, dpopBoundTokens: true },
  ]
}

function toDefinition(client: SecretClient | PrivateKeyClient): ClientDefinition {
  if (client.method !== 'private_key_jwt') return client
  const { clientId, method, algorithm, publicJwk } = client
  return { clientId, method, algorithm, publicJwks: { keys: [publicJwk] } }
}

function privateKeyClient(key: SigningKey): PrivateKeyClient {
  return { ...key, clientId: `orders-${key.algorithm.toLowerCase()}`, method: 'private_key_jwt' }
}

// RFC 7518 §3.2: a key has at least as many bits as the hash.
function secretJwtClient(algorithm: SecretAlgorithm): SecretClient {
  const secret = randomBytes(64).toString('base64url')
  return { clientId: `orders-${algorithm.toLowerCase()}`, method: 'client_secret_jwt', secret, algorithm }
}
