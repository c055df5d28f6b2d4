import {
  createAuthorizationServer,
  createProtectedApi,
  createScriptedServer,
  type AuthorizationServer,
  type ProtectedApi,
} from '@tokenwell/testing'
import { request } from 'undici'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import {
  clientSecretBasic,
  clientSecretPost,
  createTokenSource,
  createUpstream,
  createUpstreams,
  privateKeyJwt,
  type ClientAuth,
  type OAuthOptions,
  type Upstream,
} from '../src/index.ts'

let server: AuthorizationServer
let api: ProtectedApi

beforeAll(async () => {
  server = await createAuthorizationServer()
  api = await createProtectedApi({ issuer: server.issuer, jwksUri: server.jwksUri, requiredScope: 'invoices:read' })
})
afterAll(async () => {
  await Promise.all([server.close(), api.close()])
})

function upstreamOf(oauth: Partial<OAuthOptions> & Pick<OAuthOptions, 'clientId' | 'clientAuth'>): Upstream {
  const upstream = createUpstream({
    baseUrl: `${api.url}/v1`,
    oauth: { issuer: server.issuer, scope: 'invoices:read', ...oauth },
  })
  onTestFinished(() => upstream.close())
  return upstream
}

interface Seen {
  readonly path: string
  readonly clientId: string
  readonly scope: string
  readonly tokenType: string
}

const entryPoints: Record<string, (upstream: Upstream) => Promise<Seen>> = {
  fetch: async ({ fetch }) => (await (await fetch('/invoices/42')).json()) as Seen,
  request: async (upstream) => (await (await upstream.request('/invoices/42')).body.json()) as Seen,
  dispatcher: async ({ dispatcher }) => {
    const { body } = await request(`${api.url}/v1/invoices/42`, { dispatcher })
    return (await body.json()) as Seen
  },
}

describe('against oidc-provider', () => {
  const methods: Record<string, () => { clientId: string; clientAuth: ClientAuth }> = {
    'client_secret_basic with an awkward secret': () => ({
      clientId: server.clients.basic.clientId,
      clientAuth: clientSecretBasic(server.clients.basic.secret),
    }),
    'client_secret_basic with a plain secret, raw': () => ({
      clientId: server.clients.basicPlain.clientId,
      clientAuth: clientSecretBasic(async () => server.clients.basicPlain.secret, { encoding: 'raw' }),
    }),
    'client_secret_post with an awkward secret': () => ({
      clientId: server.clients.post.clientId,
      clientAuth: clientSecretPost(server.clients.post.secret),
    }),
    'private_key_jwt from PEM': () => ({
      clientId: server.clients.privateKeyJwt.clientId,
      clientAuth: privateKeyJwt(server.clients.privateKeyJwt.privateKeyPem, {
        keyId: server.clients.privateKeyJwt.kid,
      }),
    }),
    'private_key_jwt from a JWK': () => ({
      clientId: server.clients.privateKeyJwtEs256.clientId,
      clientAuth: privateKeyJwt(server.clients.privateKeyJwtEs256.privateJwk),
    }),
    'private_key_jwt from a CryptoKey, token endpoint as audience': () => ({
      clientId: server.clients.privateKeyJwt.clientId,
      clientAuth: privateKeyJwt(server.clients.privateKeyJwt.privateKey, { audience: 'token-endpoint', type: 'JWT' }),
    }),
  }

  describe.each(Object.entries(methods))('%s', (_name, client) => {
    it.each(Object.entries(entryPoints))('gets a token that the API accepts through %s', async (_entry, call) => {
      const { clientId, clientAuth } = client()
      const seen = await call(upstreamOf({ clientId, clientAuth }))
      expect(seen).toMatchObject({ path: '/v1/invoices/42', clientId, scope: 'invoices:read', tokenType: 'Bearer' })
    })
  })

  it('the secret used is the awkward one', () => {
    expect(server.clients.basic.secret).toBe('p:a%s s+w/-._~')
    expect(server.clients.post.secret).toBe('p:a%s s+w/-._~')
  })

  it('gets opaque tokens too, which the API checks by introspection', async () => {
    const opaque = await createAuthorizationServer({ accessTokenFormat: 'opaque' })
    const checking = await createProtectedApi({ issuer: opaque.issuer, introspection: opaque.introspection })
    const { clientId, secret } = opaque.clients.basic
    await using upstream = createUpstream({
      baseUrl: checking.url,
      oauth: { issuer: opaque.issuer, clientId, clientAuth: clientSecretBasic(secret), scope: 'profile:read' },
    })
    const response = await upstream.fetch('me')
    expect(response.status).toBe(200)
    expect((await upstream.tokens.get()).value).not.toContain('.')
    await Promise.all([opaque.close(), checking.close()])
  })

  it.each([
    ['metadataUrl', () => ({ issuer: server.issuer, metadataUrl: server.metadataUrl })],
    ['tokenEndpoint alone', () => ({ issuer: undefined, tokenEndpoint: server.tokenEndpoint })],
  ])('finds the token endpoint by %s', async (_name, location) => {
    const { clientId, secret } = server.clients.basic
    const upstream = upstreamOf({ clientId, clientAuth: clientSecretBasic(secret), ...location() })
    expect((await upstream.fetch('/x')).status).toBe(200)
  })

  it('an authorization server that only has OpenID metadata is found', async () => {
    const oidcOnly = await createScriptedServer(({ path }) =>
      path === '/.well-known/openid-configuration'
        ? { body: { issuer: oidcOnly.url, token_endpoint: server.tokenEndpoint } }
        : { status: 404, headers: { 'content-type': 'text/html' }, body: '<h1>no</h1>' },
    )
    onTestFinished(() => oidcOnly.close())
    const { clientId, secret } = server.clients.basic
    const source = createTokenSource({ issuer: oidcOnly.url, clientId, clientAuth: clientSecretBasic(secret) })
    onTestFinished(() => source.close())
    expect((await source.get()).tokenType).toBe('Bearer')
    expect(oidcOnly.requests.map(({ path }) => path)).toEqual([
      '/.well-known/oauth-authorization-server',
      '/.well-known/openid-configuration',
    ])
  })

  // regressions S9, J18
  it('1,000 concurrent first calls make exactly one token request', async () => {
    const { clientId, secret } = server.clients.basic
    const upstream = upstreamOf({ clientId, clientAuth: clientSecretBasic(secret) })
    const before = server.tokenRequestCount
    const statuses = await Promise.all(
      Array.from({ length: 1000 }, async () => {
        const { statusCode, body } = await upstream.request('/many')
        await body.dump()
        return statusCode
      }),
    )
    expect(new Set(statuses)).toEqual(new Set([200]))
    expect(server.tokenRequestCount - before).toBe(1)
  })

  // regressions S1, J1
  it('two concurrent calls with different scopes never share a token', async () => {
    const { clientId, secret } = server.clients.basic
    const oauth = { issuer: server.issuer, clientId, clientAuth: clientSecretBasic(secret) }
    const open = await createProtectedApi({ issuer: server.issuer, jwksUri: server.jwksUri })
    const upstreams = createUpstreams({
      read: { baseUrl: open.url, oauth: { ...oauth, scope: 'invoices:read' } },
      write: { baseUrl: open.url, oauth: { ...oauth, scope: 'invoices:write' } },
    })
    const scopes = await Promise.all(
      (['read', 'write', 'read', 'write'] as const).map(async (name) => {
        const response = await upstreams[name].fetch('/')
        return ((await response.json()) as Seen).scope
      }),
    )
    expect(scopes).toEqual(['invoices:read', 'invoices:write', 'invoices:read', 'invoices:write'])
    await upstreams.close()
    await open.close()
  })
})
