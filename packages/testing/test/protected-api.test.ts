import { exportJWK, generateKeyPair, SignJWT, type CryptoKey } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import {
  createAuthorizationServer,
  createProtectedApi,
  createScriptedServer,
  tokenHash,
  type AuthorizationServer,
  type ProtectedApi,
  type ScriptedServer,
} from '../src/index.ts'
import { requestToken } from './token-requests.ts'

function call(api: ProtectedApi, authorization?: string, init: RequestInit = {}): Promise<Response> {
  return fetch(`${api.url}/invoices/42?full=1`, {
    ...init,
    headers: { 'x-request-id': 'r1', ...(authorization === undefined ? {} : { authorization }) },
  })
}

const challengeOf = (response: Response) => [response.status, response.headers.get('www-authenticate')]

describe('with JWTs', () => {
  let server: AuthorizationServer
  let api: ProtectedApi
  beforeAll(async () => {
    server = await createAuthorizationServer()
    api = await createProtectedApi({
      issuer: server.issuer,
      jwksUri: server.jwksUri,
      audience: 'https://api.example.com',
      requiredScope: 'invoices:read',
    })
  })
  afterAll(() => Promise.all([api.close(), server.close()]))

  const goodToken = async () => (await requestToken(server, { scope: 'invoices:read invoices:write' })).accessToken

  test('a good token is answered with what the API saw', async () => {
    const token = await goodToken()
    const response = await call(api, `Bearer ${token}`, { method: 'POST', body: 'paid' })
    expect(response.status).toBe(200)
    const seen = (await response.json()) as { headers: Record<string, string> }
    expect(seen).toMatchObject({
      method: 'POST',
      path: '/invoices/42?full=1',
      clientId: 'orders-basic',
      scope: 'invoices:read invoices:write',
      tokenType: 'Bearer',
      body: 'paid',
    })
    expect(seen.headers).toHaveProperty('x-request-id', 'r1')
    expect(seen.headers).not.toHaveProperty('authorization')
  })

  test('the user of a token is told as well', async () => {
    const consent = { clientId: 'orders-basic', subject: 'alice', scope: 'invoices:read' }
    const form = { grant_type: 'refresh_token', refresh_token: await server.issueRefreshToken(consent) }
    const response = await call(api, `Bearer ${(await requestToken(server, form)).accessToken}`)
    expect(await response.json()).toMatchObject({ subject: 'alice', clientId: 'orders-basic' })
    expect(api.requests.at(-1)).toMatchObject({ subject: 'alice', tokenType: 'Bearer' })
  })

  test('requests are recorded with a hash of the token and without the token', async () => {
    const token = await goodToken()
    await call(api, `Bearer ${token}`)
    expect(api.requests.at(-1)).toMatchObject({
      method: 'GET',
      path: '/invoices/42?full=1',
      tokenHash: tokenHash(token),
      clientId: 'orders-basic',
      status: 200,
      body: '',
    })
    expect(tokenHash(token)).toMatch(/^[0-9a-f]{64}$/)
    expect(JSON.stringify(api.requests)).not.toContain(token)
  })

  test('the scheme is read in any case', async () => {
    expect((await call(api, `bEARER ${await goodToken()}`)).status).toBe(200)
  })

  test.each([undefined, 'Basic b3JkZXJzOng='])('without a token (%s) the challenge has no error', async (header) => {
    const response = await call(api, header)
    expect(challengeOf(response)).toEqual([401, 'Bearer realm="protected-api"'])
    expect(api.requests.at(-1)).not.toHaveProperty('error')
  })

  test.each(['Bearer', 'Bearer a b', 'Bearer "quoted"'])('%s is answered 400 invalid_request', async (header) => {
    const response = await call(api, header)
    expect(challengeOf(response)).toEqual([400, 'Bearer realm="protected-api", error="invalid_request"'])
  })

  const invalidToken = [401, 'Bearer realm="protected-api", error="invalid_token"']

  test.each([
    ['no JWT', 'abc'],
    ['a JWT of nobody', 'eyJhbGciOiJFUzI1NiJ9.e30.AAAA'],
  ])('a token that is %s is invalid', async (_name, token) => {
    expect(challengeOf(await call(api, `Bearer ${token}`))).toEqual(invalidToken)
  })

  test('a token for another audience is invalid', async () => {
    const { accessToken } = await requestToken(server, {
      resource: 'https://other.example.com',
      scope: 'invoices:read',
    })
    expect(challengeOf(await call(api, `Bearer ${accessToken}`))).toEqual(invalidToken)
  })

  test('a token of another issuer is invalid', async () => {
    await using stranger = await createAuthorizationServer()
    const { accessToken } = await requestToken(stranger, { scope: 'invoices:read' })
    expect(challengeOf(await call(api, `Bearer ${accessToken}`))).toEqual(invalidToken)
  })

  test('each path may want a scope of its own', async () => {
    const requiredScope = (path: string) => (path === '/profile' ? 'profile:read' : undefined)
    await using own = await createProtectedApi({ ...server, requiredScope })
    const { accessToken } = await requestToken(server, { scope: 'invoices:read' })
    const statusAt = async (path: string) =>
      (await fetch(own.url + path, { headers: { authorization: `Bearer ${accessToken}` } })).status
    expect([await statusAt('/profile'), await statusAt('/invoices')]).toEqual([403, 200])
  })

  test('a token without the scope is answered 403 with the scope it takes', async () => {
    const { accessToken } = await requestToken(server, { scope: 'profile:read' })
    expect(challengeOf(await call(api, `Bearer ${accessToken}`))).toEqual([
      403,
      'Bearer realm="protected-api", error="insufficient_scope", scope="invoices:read"',
    ])
    expect(api.requests.at(-1)).toMatchObject({ status: 403, error: 'insufficient_scope' })
  })

  test('a token revoked by its hash is invalid, another stays good', async () => {
    const [revoked, good] = [await goodToken(), await goodToken()]
    api.revoke(tokenHash(revoked))
    expect(challengeOf(await call(api, `Bearer ${revoked}`))).toEqual(invalidToken)
    expect((await call(api, `Bearer ${good}`)).status).toBe(200)
  })

  test('tokens can be revoked by what they say', async () => {
    const { accessToken } = await requestToken(server, { scope: 'invoices:read profile:read' })
    api.revoke(({ clientId, scope }) => clientId === 'orders-basic' && scope === 'invoices:read profile:read')
    expect(challengeOf(await call(api, `Bearer ${accessToken}`))).toEqual(invalidToken)
    expect((await call(api, `Bearer ${await goodToken()}`)).status).toBe(200)
  })

  test('revoking all refuses the tokens shown so far and no later one', async () => {
    const shown = await goodToken()
    expect((await call(api, `Bearer ${shown}`)).status).toBe(200)
    const later = await goodToken()
    api.revokeAll()
    expect(challengeOf(await call(api, `Bearer ${shown}`))).toEqual(invalidToken)
    expect((await call(api, `Bearer ${later}`)).status).toBe(200)
  })
})

describe('with opaque tokens', () => {
  let server: AuthorizationServer
  beforeAll(async () => {
    server = await createAuthorizationServer({ accessTokenFormat: 'opaque' })
  })
  afterAll(() => server.close())

  test('a token is checked by introspection', async () => {
    await using api = await createProtectedApi({ ...server, requiredScope: 'profile:read' })
    const { accessToken } = await requestToken(server, { scope: 'profile:read' })
    expect(accessToken).not.toContain('.')
    const response = await call(api, `Bearer ${accessToken}`)
    expect(await response.json()).toMatchObject({ clientId: 'orders-basic', scope: 'profile:read' })

    expect((await call(api, 'Bearer unknown')).status).toBe(401)
    const other = await requestToken(server, { scope: 'invoices:read' })
    expect((await call(api, `Bearer ${other.accessToken}`)).status).toBe(403)
  })

  test('the audience is checked too', async () => {
    const { issuer, introspection } = server
    await using api = await createProtectedApi({ issuer, introspection, audience: 'https://other.example.com' })
    const { accessToken } = await requestToken(server)
    expect((await call(api, `Bearer ${accessToken}`)).status).toBe(401)
    const other = await requestToken(server, { resource: 'https://other.example.com' })
    expect((await call(api, `Bearer ${other.accessToken}`)).status).toBe(200)
  })

  test('a JWT that may not be introspected is invalid', async () => {
    await using jwtServer = await createAuthorizationServer()
    const { issuer, introspection } = jwtServer
    await using api = await createProtectedApi({ issuer, introspection })
    const { accessToken } = await requestToken(jwtServer)
    expect((await call(api, `Bearer ${accessToken}`)).status).toBe(401)
  })

  test('other clients may introspect their own tokens only', async () => {
    const { basicPlain } = server.clients
    await using api = await createProtectedApi({
      issuer: server.issuer,
      introspection: {
        endpoint: server.introspection.endpoint,
        clientId: basicPlain.clientId,
        clientSecret: basicPlain.secret,
      },
    })
    const { accessToken } = await requestToken(server)
    expect((await call(api, `Bearer ${accessToken}`)).status).toBe(401)
  })
})

describe('with a key of the test', () => {
  const issuer = 'https://login.example.com'
  let keys: ScriptedServer
  let api: ProtectedApi
  let privateKey: CryptoKey
  beforeAll(async () => {
    const pair = await generateKeyPair('ES256')
    privateKey = pair.privateKey
    keys = await createScriptedServer({ body: { keys: [await exportJWK(pair.publicKey)] } })
    api = await createProtectedApi({ issuer, jwksUri: keys.url })
  })
  afterAll(() => Promise.all([api.close(), keys.close()]))

  interface Difference {
    iss?: string
    typ?: string
    expires?: string
  }

  test.each<[number, string, Difference]>([
    [200, 'is good', {}],
    [401, 'has expired', { expires: '1m ago' }],
    [401, 'is of another issuer', { iss: 'https://login.example.org' }],
    [401, 'is no access token', { typ: 'JWT' }],
  ])('%i is the answer to a token that %s', async (status, _name, { iss = issuer, typ = 'at+jwt', expires = '1m' }) => {
    const token = new SignJWT().setProtectedHeader({ alg: 'ES256', typ }).setIssuer(iss).setExpirationTime(expires)
    expect((await call(api, `Bearer ${await token.sign(privateKey)}`)).status).toBe(status)
  })
})

test.each(['jwksUri', 'introspection'] as const)('503 is answered while %s cannot be reached', async (way) => {
  await using server = await createAuthorizationServer({ accessTokenFormat: way === 'jwksUri' ? 'jwt' : 'opaque' })
  await using broken = await createScriptedServer({ status: 500 })
  await using api = await createProtectedApi({
    issuer: server.issuer,
    ...(way === 'jwksUri'
      ? { jwksUri: broken.url }
      : { introspection: { endpoint: broken.url, clientId: 'api', clientSecret: 'x' } }),
  })
  const { accessToken } = await requestToken(server)
  expect(challengeOf(await call(api, `Bearer ${accessToken}`))).toEqual([503, null])
})

test('an API without a way to check tokens is refused', async () => {
  await expect(createProtectedApi({ issuer: 'https://login.example.com' })).rejects.toThrow(TypeError)
})
