import { generateKeyPairSync } from 'node:crypto'
import {
  createAuthorizationServer,
  createProtectedApi,
  type AuthorizationServer,
  type ProtectedApi,
} from '@tokenwell/testing'
import { exportJWK, generateKeyPair } from 'jose'
import { Agent, request as undiciRequest } from 'undici'
import { describe, expect, it, onTestFinished } from 'vitest'
import {
  authorize,
  clientSecretBasic,
  createTokenSource,
  createUpstream,
  type OAuthOptions,
  type Upstream,
} from '../../src/index.ts'
import { rejection } from '../support.ts'

interface World {
  readonly server: AuthorizationServer
  readonly api: ProtectedApi
  readonly upstream: Upstream
}

type ServerOptions = Parameters<typeof createAuthorizationServer>[0]
type ApiOptions = Partial<Parameters<typeof createProtectedApi>[0]>

async function world(
  oauth: Partial<OAuthOptions> = {},
  { server: serverOptions, api: apiOptions }: { server?: ServerOptions; api?: ApiOptions } = {},
): Promise<World> {
  const server = await createAuthorizationServer(serverOptions)
  const api = await createProtectedApi({ ...server, ...apiOptions })
  const { clientId, secret } = server.clients.dpop
  const upstream = createUpstream({
    name: 'billing',
    baseUrl: `${api.url}/v1`,
    oauth: { issuer: server.issuer, clientId, clientAuth: clientSecretBasic(secret), dpop: true, ...oauth },
  })
  onTestFinished(async () => void (await Promise.all([upstream.close(), api.close(), server.close()])))
  return { server, api, upstream }
}

const statuses = ({ api }: World) => api.requests.map(({ status }) => status)

describe('a token that is bound to a key goes with a proof', () => {
  it('through fetch, request and dispatcher, one for each sending', async () => {
    const { server, api, upstream } = await world()
    expect((await upstream.fetch('/invoices?year=2026#top')).status).toBe(200)
    const post = await upstream.request('/invoices', { method: 'POST', body: 'x' })
    expect(post.statusCode).toBe(200)
    const dispatched = await undiciRequest(`${api.url}/v1/invoices/42?a=b`, { dispatcher: upstream.dispatcher })
    expect(dispatched.statusCode).toBe(200)
    expect(api.requests.map(({ tokenType }) => tokenType)).toEqual(['DPoP', 'DPoP', 'DPoP'])
    expect(api.requests.map(({ proof }) => [proof?.claims['htm'], proof?.claims['htu']])).toEqual([
      ['GET', `${api.url}/v1/invoices`],
      ['POST', `${api.url}/v1/invoices`],
      ['GET', `${api.url}/v1/invoices/42`],
    ])
    expect(new Set(api.requests.map(({ proof }) => proof?.claims['jti'])).size).toBe(3)
    // The server's own proof too, and nothing of the private key in any.
    const jwks = [
      ...api.requests.map(({ proof }) => proof?.header['jwk']),
      server.tokenRequests[0]?.dpopProof?.header['jwk'],
    ]
    for (const jwk of jwks) expect(Object.keys(jwk as object).toSorted()).toEqual(['crv', 'kty', 'x', 'y'])
    expect(server.tokenRequestCount).toBe(1)
  })

  it('with the bare interceptor as well', async () => {
    const { server, api } = await world()
    const { clientId, secret } = server.clients.dpop
    const source = createTokenSource({
      issuer: server.issuer,
      clientId,
      clientAuth: clientSecretBasic(secret),
      dpop: true,
    })
    const dispatcher = new Agent().compose(authorize({ source, origins: [api.url] }))
    const { statusCode } = await undiciRequest(`${api.url}/x`, { dispatcher, method: 'PATCH', body: 'x' })
    expect([statusCode, api.requests[0]?.proof?.claims['htm']]).toEqual([200, 'PATCH'])
    await Promise.all([source.close(), dispatcher.close()])
  })

  it('that takes the place of one which the caller set', async () => {
    const { api, upstream } = await world()
    const { statusCode } = await upstream.request('/x', { headers: { DPoP: 'forged', 'x-a': '1' } })
    expect([statusCode, api.requests[0]?.headers['x-a']]).toEqual([200, '1'])
  })

  it('and a refused one is replaced, with a proof for the new one', async () => {
    const w = await world()
    await w.upstream.fetch('/x')
    w.api.revokeAll()
    expect((await w.upstream.fetch('/x', { method: 'POST', body: 'x' })).status).toBe(200)
    expect(statuses(w)).toEqual([200, 401, 200])
    expect(w.server.tokenRequestCount).toBe(2)
    const aths = w.api.requests.map(({ proof }) => proof?.claims['ath'])
    expect(aths[0]).toBe(aths[1])
    expect(aths[2]).not.toBe(aths[1])
  })
})

describe('keys', () => {
  const ec = generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey
  const ed25519 = generateKeyPairSync('ed25519').privateKey

  it.each<[string, () => Promise<OAuthOptions['dpop']>, string]>([
    ['none given', async () => ({}), 'ES256'],
    ['PEM text', async () => ({ key: ec.export({ type: 'pkcs8', format: 'pem' }) }), 'ES384'],
    ['a KeyObject', async () => ({ key: ed25519, algorithm: 'Ed25519' }), 'Ed25519'],
    [
      'a JWK',
      async () => ({ key: await exportJWK((await generateKeyPair('ES256', { extractable: true })).privateKey) }),
      'ES256',
    ],
    [
      'an extractable CryptoKey',
      async () => ({ key: (await generateKeyPair('ES256', { extractable: true })).privateKey }),
      'ES256',
    ],
    ['a CryptoKeyPair', async () => ({ key: await generateKeyPair('ES256') }), 'ES256'],
    ['an RSA key', async () => ({ key: await generateKeyPair('PS256'), algorithm: 'PS256' }), 'PS256'],
  ])('%s', async (_name, dpop, algorithm) => {
    const { server, upstream, api } = await world({ dpop: await dpop() })
    expect((await upstream.fetch('/x')).status).toBe(200)
    expect(server.tokenRequests[0]?.dpopProof?.header['alg']).toBe(algorithm)
    expect(api.requests[0]?.proof?.header['alg']).toBe(algorithm)
  })

  it.each<[string, () => Promise<unknown>, RegExp]>([
    [
      'a public key',
      async () => ({ key: (await generateKeyPair('ES256')).publicKey }),
      /^oauth\.dpop: key: expected a private/,
    ],
    [
      'half of a pair that tells nothing of the other',
      async () => ({ key: (await generateKeyPair('ES256')).privateKey }),
      /^oauth\.dpop: key: expected \{ privateKey, publicKey \}/,
    ],
    [
      'a private key in the place of the public one',
      async () => {
        const { privateKey } = await generateKeyPair('ES256', { extractable: true })
        return { key: { privateKey, publicKey: privateKey } }
      },
      /^oauth\.dpop: key: expected the public key that/,
    ],
    [
      'a pair whose halves do not belong together',
      async () => ({
        key: {
          privateKey: (await generateKeyPair('ES256', { extractable: true })).privateKey,
          publicKey: (await generateKeyPair('ES256')).publicKey,
        },
      }),
      /^oauth\.dpop: key: expected the public key that/,
    ],
    [
      'a pair on two curves, of which one half is locked up',
      async () => ({
        key: {
          privateKey: (await generateKeyPair('ES256')).privateKey,
          publicKey: (await generateKeyPair('ES384')).publicKey,
        },
      }),
      /^oauth\.dpop: key: expected the public key that/,
    ],
    [
      'a JWK whose halves do not belong together',
      async () => {
        const [one, other] = await Promise.all([1, 2].map(() => generateKeyPair('Ed25519', { extractable: true })))
        return { key: { ...(await exportJWK(one!.privateKey)), x: (await exportJWK(other!.publicKey)).x } }
      },
      /^oauth\.dpop: key: expected /,
    ],
    [
      'an rsa-pss key, which has no form as a JWK,',
      async () => ({ key: generateKeyPairSync('rsa-pss', { modulusLength: 2048 }).privateKey }),
      /^oauth\.dpop: key: an rsa-pss key/,
    ],
    [
      'an external signer',
      async () => ({ key: { algorithm: 'ES256', sign: async () => new Uint8Array(64) } }),
      /^oauth\.dpop: key: expected a private key/,
    ],
    ['null as key', async () => ({ key: null }), /^oauth\.dpop: key: expected a private key/],
    [
      'an encrypted PEM, for which there is no passphrase here,',
      async () => ({ key: ec.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' }) }),
      /^oauth\.dpop: key: the PEM is encrypted/,
    ],
    [
      'an algorithm that does not fit',
      async () => ({ key: ec, algorithm: 'ES256' }),
      /^oauth\.dpop: algorithm: expected one of ES384/,
    ],
    ['an algorithm without its key', async () => ({ algorithm: 'RS256' }), /^oauth\.dpop\.algorithm: expected ES256/],
    ['an unknown option', async () => ({ nonce: 'x' }), /^oauth\.dpop\.nonce: there is no such option/],
    ['something else', async () => 'yes', /^oauth\.dpop: expected an object/],
  ])('%s is refused', async (_name, given, message) => {
    const dpop = (await given()) as OAuthOptions['dpop']
    const oauth = { issuer: 'https://as.example', clientId: 'orders', clientAuth: clientSecretBasic('s'), dpop }
    expect(() => createUpstream({ baseUrl: 'https://api.example', oauth })).toThrow(
      expect.toSatisfy((error: unknown) => error instanceof TypeError && message.test(error.message)),
    )
  })

  it('each source has one of its own, and never uses a token that is bound to another', async () => {
    const { server, api } = await world()
    const { clientId, secret } = server.clients.dpop
    const { memoryTokenCache } = await import('../../src/index.ts')
    const cache = memoryTokenCache()
    for (let index = 0; index < 2; index++) {
      const oauth = { issuer: server.issuer, clientId, clientAuth: clientSecretBasic(secret), dpop: true, cache }
      await using upstream = createUpstream({ baseUrl: api.url, oauth })
      expect((await upstream.fetch('/x')).status).toBe(200)
    }
    expect(server.tokenRequestCount).toBe(2)
  })
})

// regressions S26, J63
describe('nonces', () => {
  it('the authorization server gets the one that it asks for, in one more request with an assertion of its own', async () => {
    const w = await world({}, { server: { requireDpopNonce: true } })
    expect((await w.upstream.fetch('/x')).status).toBe(200)
    expect(w.server.tokenRequests.map(({ error }) => error)).toEqual(['use_dpop_nonce', undefined])
    const [first, second] = w.server.tokenRequests.map(({ dpopProof }) => dpopProof?.claims)
    expect(first?.['jti']).not.toBe(second?.['jti'])
    expect(w.api.requests[0]?.proof?.claims['nonce']).toBeUndefined()
    await w.upstream.tokens.get({ forceRenewal: true })
    expect(w.server.tokenRequestCount).toBe(3)
  })

  it.each(['fetch', 'request', 'dispatcher'] as const)(
    'the API gets its own, and the call is sent again once: %s',
    async (way) => {
      const w = await world({}, { api: { dpopNonces: 'required' } })
      const call = async (): Promise<number> => {
        if (way === 'fetch') return (await w.upstream.fetch('/x', { method: 'POST', body: 'body' })).status
        if (way === 'request') return (await w.upstream.request('/x', { method: 'POST', body: 'body' })).statusCode
        const { dispatcher } = w.upstream
        return (await undiciRequest(`${w.api.url}/x`, { dispatcher, method: 'POST', body: 'body' })).statusCode
      }
      expect([await call(), await call()]).toEqual([200, 200])
      expect(statuses(w)).toEqual([401, 200, 200])
      expect(w.api.requests.map(({ body }) => body)).toEqual(['body', 'body', 'body'])
      expect(w.server.tokenRequestCount).toBe(1)
    },
  )

  it('one that comes with a 200 is used from then on', async () => {
    const w = await world({}, { api: { dpopNonces: 'single-use' } })
    for (let index = 0; index < 4; index++) expect((await w.upstream.request('/x')).statusCode).toBe(200)
    expect(statuses(w)).toEqual([401, 200, 200, 200, 200])
  })

  it('an old one costs one more sending', async () => {
    const w = await world({}, { api: { dpopNonces: 'required' } })
    await w.upstream.fetch('/x')
    w.api.nonces.rotate()
    expect((await w.upstream.fetch('/x')).status).toBe(200)
    expect(statuses(w)).toEqual([401, 200, 401, 200])
  })

  it('a nonce and a refused token in one call are three sendings', async () => {
    const w = await world({}, { api: { dpopNonces: 'required' } })
    await w.upstream.fetch('/x')
    w.api.nonces.rotate()
    w.api.revokeAll()
    expect((await w.upstream.fetch('/x')).status).toBe(200)
    expect(statuses(w).slice(2).at(-1)).toBe(200)
    expect(w.api.requests.length).toBeLessThanOrEqual(5)
  })

  it('a stream is not sent again: the caller gets the 401', async () => {
    const w = await world({}, { api: { dpopNonces: 'required' } })
    const body = new ReadableStream({ start: (controller) => controller.close() })
    const response = await w.upstream.fetch('/x', { method: 'POST', body, duplex: 'half' })
    expect([response.status, statuses(w).length]).toEqual([401, 1])
  })
})

// regressions S25
it('a server that answers with a Bearer token is refused, and nothing goes to the API', async () => {
  const server = await createAuthorizationServer()
  const api = await createProtectedApi(server)
  const { createScriptedServer, tokenReply } = await import('@tokenwell/testing')
  const downgrading = await createScriptedServer(tokenReply({ tokenType: 'Bearer' }))
  const oauth = { tokenEndpoint: downgrading.url, clientId: 'o', clientAuth: clientSecretBasic('s'), dpop: true }
  const upstream = createUpstream({ baseUrl: api.url, oauth })
  onTestFinished(
    async () => void (await Promise.all([upstream.close(), api.close(), server.close(), downgrading.close()])),
  )
  expect(await rejection(upstream.fetch('/x'))).toMatchObject({
    code: 'ERR_TOKENWELL_TOKEN_RESPONSE',
    cause: { message: 'token_type is not DPoP' },
  })
  expect([downgrading.requests.length, api.requests.length]).toEqual([1, 0])
})
