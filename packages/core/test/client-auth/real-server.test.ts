import { createAuthorizationServer, type AuthorizationServer } from '@tokenwell/testing'
import { exportJWK, exportPKCS8, generateKeyPair, type JWK } from 'jose'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import {
  clientSecretBasic,
  clientSecretJwt,
  clientSecretPost,
  createTokenSource,
  privateKeyJwt,
  type ClientAuth,
  type SigningKeySource,
} from '../../src/index.ts'
import { rejection } from '../support.ts'

// Every character that some encoder forgets or some decoder gets wrong, and as long as a secret is in practice.
const awkward = String.raw`: % + & / = ~ * ! ' ( ) - _ . %41 %zz ++ \ "<>@#$^{}[]|;,?`
const secrets: Record<string, string> = {
  'every awkward character': awkward,
  '512 characters': awkward.repeat(20).slice(0, 512),
  'percent-encoding that is meant': '%2B%20',
  'a colon first': ':secret',
  'spaces at both ends': ' secret ',
}
const secretMethods = {
  client_secret_basic: clientSecretBasic,
  client_secret_post: clientSecretPost,
  client_secret_jwt: clientSecretJwt,
} as const
const keyAlgorithms = ['RS256', 'PS256', 'ES256', 'EdDSA', 'Ed25519'] as const

let server: AuthorizationServer
const keys = new Map<string, { privateJwk: JWK; publicJwk: JWK; pem: string; privateKey: CryptoKey }>()

const clientOf = (method: string, secret: string) => `${method}-${Object.keys(secrets).indexOf(secret)}`

beforeAll(async () => {
  for (const algorithm of keyAlgorithms) {
    const { privateKey, publicKey } = await generateKeyPair(algorithm, { extractable: true })
    keys.set(algorithm, {
      privateKey,
      pem: await exportPKCS8(privateKey),
      privateJwk: { ...(await exportJWK(privateKey)), alg: algorithm, kid: 'k1' },
      publicJwk: { ...(await exportJWK(publicKey)), alg: algorithm, kid: 'k1' },
    })
  }
  server = await createAuthorizationServer({
    clients: [
      ...Object.entries(secrets).flatMap(([name, secret]) =>
        (['client_secret_basic', 'client_secret_post', 'client_secret_jwt'] as const).map((method) => ({
          clientId: clientOf(method, name),
          method,
          secret,
        })),
      ),
      ...keyAlgorithms.map((algorithm) => ({
        clientId: algorithm,
        method: 'private_key_jwt' as const,
        algorithm,
        publicJwks: { keys: [keys.get(algorithm)?.publicJwk ?? {}] },
      })),
    ],
  })
})
afterAll(() => server.close())

async function tokenOf(clientId: string, clientAuth: ClientAuth) {
  const source = createTokenSource({ issuer: server.issuer, clientId, clientAuth, scope: 'invoices:read' })
  onTestFinished(() => source.close())
  const token = await source.get()
  expect(server.tokenRequests.at(-1)).toMatchObject({ clientId, clientAuthMethod: clientAuth.method, status: 200 })
  return { source, token }
}

// regressions J39
describe.each(Object.keys(secretMethods) as (keyof typeof secretMethods)[])('oidc-provider takes %s', (method) => {
  it.each(Object.entries(secrets))('with a secret of %s', async (name, secret) => {
    const { token } = await tokenOf(clientOf(method, name), secretMethods[method](secret))
    expect(token.scope).toBe('invoices:read')
  })

  it('but not with another secret', async () => {
    const clientId = clientOf(method, 'a colon first')
    const clientAuth = secretMethods[method](':secreT')
    const source = createTokenSource({ issuer: server.issuer, clientId, clientAuth })
    onTestFinished(() => source.close())
    expect(await rejection(source.get())).toMatchObject({ error: 'invalid_client' })
  })
})

describe.each(keyAlgorithms)('oidc-provider takes private_key_jwt signed with %s', (algorithm) => {
  it.each<[string, (held: NonNullable<ReturnType<typeof keys.get>>) => SigningKeySource]>([
    ['a JWK', ({ privateJwk }) => privateJwk],
    ['PEM', ({ pem }) => pem],
    ['a CryptoKey', ({ privateKey }) => privateKey],
    [
      'a provider of PEM',
      ({ pem }) =>
        async () =>
          pem,
    ],
  ])('given as %s', async (_name, form) => {
    const held = keys.get(algorithm) ?? expect.fail()
    const { token } = await tokenOf(algorithm, privateKeyJwt(form(held), { algorithm, keyId: 'k1' }))
    expect(token.tokenType).toBe('Bearer')
  })

  it.each(['token-endpoint', 'both'] as const)('with audience %s and typ JWT', async (audience) => {
    const { pem } = keys.get(algorithm) ?? expect.fail()
    const clientAuth = privateKeyJwt(pem, { algorithm, audience, type: 'JWT' })
    expect((await tokenOf(algorithm, clientAuth)).token.tokenType).toBe('Bearer')
  })

  // regressions S27, J41: it refuses an assertion whose jti it has seen.
  it('again and again, for no two assertions are the same', async () => {
    const { privateJwk } = keys.get(algorithm) ?? expect.fail()
    const { source } = await tokenOf(algorithm, privateKeyJwt(privateJwk))
    for (let request = 0; request < 3; request++) {
      expect((await source.get({ forceRenewal: true })).tokenType).toBe('Bearer')
    }
  })
})

// regressions S37, J36, J43
it('oidc-provider: a secret that is corrected while the service runs is used at once', async () => {
  const { clientId, secret } = server.clients.post
  let current = 'wrong'
  const clientAuth = clientSecretPost(() => current)
  const source = createTokenSource({ issuer: server.issuer, clientId, clientAuth })
  onTestFinished(() => source.close())
  const before = server.tokenRequestCount
  expect(await rejection(source.get())).toMatchObject({ error: 'invalid_client' })
  expect(await rejection(source.get())).toMatchObject({ error: 'invalid_client', fromCache: true })
  expect(server.tokenRequestCount - before).toBe(1)
  current = secret
  expect((await source.get()).tokenType).toBe('Bearer')
  expect(server.tokenRequestCount - before).toBe(2)
})
