import { createPrivateKey } from 'node:crypto'

import { decodeJwt, decodeProtectedHeader, exportJWK, generateKeyPair, importPKCS8 } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { createAuthorizationServer, type AuthorizationServer } from '../src/index.ts'
import { assertionForm, basicHeader, requestToken } from './token-requests.ts'

describe('a server with its defaults', () => {
  let server: AuthorizationServer
  beforeAll(async () => {
    server = await createAuthorizationServer()
  })
  afterAll(() => server.close())

  const lastRecord = () => server.tokenRequests.at(-1)

  test('its secret with awkward characters is accepted in a form-encoded Basic header', async () => {
    const { status, body } = await requestToken(server, { scope: 'invoices:read profile:read' })
    expect(status).toBe(200)
    expect(body).toMatchObject({ token_type: 'Bearer', expires_in: 3600, scope: 'invoices:read profile:read' })
    expect(lastRecord()).toEqual({
      clientId: 'orders-basic',
      grantType: 'client_credentials',
      scope: 'invoices:read profile:read',
      resource: [],
      clientAuthMethod: 'client_secret_basic',
      status: 200,
      at: expect.closeTo(Date.now(), -4),
    })
  })

  test('the same secret is refused in a Basic header without form encoding', async () => {
    const { clientId, secret } = server.clients.basic
    const raw = { authorization: `Basic ${Buffer.from(`${clientId}:${secret}`).toString('base64')}` }
    const { status, body } = await requestToken(server, {}, raw)
    expect([status, body['error']]).toEqual([400, 'invalid_request'])
  })

  test('a wrong secret is answered 401 invalid_client with a Basic challenge', async () => {
    const headers = basicHeader({ clientId: 'orders-plain', secret: 'wrong' })
    const response = await fetch(server.tokenEndpoint, {
      method: 'POST',
      headers,
      body: new URLSearchParams({ grant_type: 'client_credentials' }),
    })
    expect(response.status).toBe(401)
    expect(response.headers.get('www-authenticate')).toMatch(/^Basic realm=/)
    expect(await response.json()).toMatchObject({ error: 'invalid_client' })
    expect(lastRecord()).toMatchObject({ clientId: 'orders-plain', status: 401 })
  })

  test('a client that does not exist is recorded by the id it claims', async () => {
    await requestToken(server, {}, basicHeader({ clientId: 'nobody', secret: 'x' }))
    expect(lastRecord()).toMatchObject({ clientId: 'nobody', clientAuthMethod: 'client_secret_basic', status: 401 })
  })

  test('client_secret_post works', async () => {
    const { clientId, secret } = server.clients.post
    const { status } = await requestToken(server, { client_id: clientId, client_secret: secret }, {})
    expect(status).toBe(200)
    expect(lastRecord()).toMatchObject({ clientId, clientAuthMethod: 'client_secret_post' })
  })

  test.each(['privateKeyJwt', 'privateKeyJwtEs256', 'clientSecretJwt'] as const)('%s works', async (name) => {
    const client = server.clients[name]
    const { status } = await requestToken(server, await assertionForm(server, client), {})
    expect(status).toBe(200)
    expect(lastRecord()).toMatchObject({ clientId: client.clientId, clientAuthMethod: client.method })
  })

  test('an assertion is accepted once', async () => {
    const form = await assertionForm(server, server.clients.privateKeyJwtEs256)
    expect((await requestToken(server, form, {})).status).toBe(200)
    expect((await requestToken(server, form, {})).body).toMatchObject({ error: 'invalid_client' })
  })

  test('the private key is the same in all its forms', async () => {
    const { privateKeyPem, privateJwk, algorithm } = server.clients.privateKeyJwt
    expect(privateKeyPem).toMatch(/^-----BEGIN PRIVATE KEY-----\n/)
    const fromPem = await exportJWK(await importPKCS8(privateKeyPem, algorithm, { extractable: true }))
    expect(privateJwk).toEqual({ ...fromPem, kid: 'orders-rs256-1', alg: 'RS256' })
    expect(createPrivateKey(privateKeyPem).asymmetricKeyDetails?.modulusLength).toBe(2048)
  })

  test('credentials sent in two places are refused and recorded as such', async () => {
    const { secret } = server.clients.basic
    const { status } = await requestToken(server, { client_secret: secret })
    expect(status).toBe(400)
    expect(lastRecord()).toMatchObject({ clientAuthMethod: 'multiple' })
  })

  test('a request without any credentials is recorded as such', async () => {
    const { status } = await requestToken(server, {}, {})
    expect(status).toBe(400)
    expect(lastRecord()).toMatchObject({ clientAuthMethod: 'none' })
    expect(lastRecord()).not.toHaveProperty('clientId')
  })

  test('no secret, assertion or token is recorded', async () => {
    const { secret } = server.clients.post
    const form = await assertionForm(server, server.clients.privateKeyJwtEs256)
    const { accessToken } = await requestToken(server, form, {})
    await requestToken(server, { client_id: 'orders-post', client_secret: secret }, {})
    const records = JSON.stringify(server.tokenRequests)
    expect(records).toContain('orders-es256')
    for (const hidden of [secret, form['client_assertion'] ?? '', accessToken]) expect(records).not.toContain(hidden)
  })

  test('a token is a JWT for the default audience, or for the resource that was asked for', async () => {
    const { accessToken } = await requestToken(server)
    expect(decodeProtectedHeader(accessToken)).toMatchObject({ alg: 'ES256', typ: 'at+jwt' })
    expect(decodeJwt(accessToken)).toMatchObject({ aud: 'https://api.example.com', client_id: 'orders-basic' })

    const other = await requestToken(server, { resource: 'https://other.example.com/v1' })
    expect(decodeJwt(other.accessToken).aud).toBe('https://other.example.com/v1')
    expect(lastRecord()?.resource).toEqual(['https://other.example.com/v1'])
  })

  test('a resource that is not an absolute URI is answered invalid_target', async () => {
    const { status, body } = await requestToken(server, { resource: 'invoices' })
    expect([status, body['error']]).toEqual([400, 'invalid_target'])
  })

  test.each(['metadataUrl', 'oauthMetadataUrl'] as const)('%s names the issuer and the endpoints', async (name) => {
    const response = await fetch(server[name])
    expect(response.status).toBe(200)
    expect(await response.json()).toMatchObject({
      issuer: server.issuer,
      token_endpoint: server.tokenEndpoint,
      jwks_uri: server.jwksUri,
      introspection_endpoint: server.introspection.endpoint,
      grant_types_supported: expect.arrayContaining(['client_credentials', 'refresh_token']),
      scopes_supported: expect.arrayContaining(['invoices:read', 'invoices:write', 'profile:read']),
      token_endpoint_auth_methods_supported: expect.arrayContaining(['client_secret_basic', 'private_key_jwt']),
    })
  })

  test('its public keys are published, its private ones are not', async () => {
    const { keys } = (await (await fetch(server.jwksUri)).json()) as { keys: Record<string, unknown>[] }
    expect(keys).toHaveLength(1)
    expect(keys[0]).toMatchObject({ kty: 'EC', alg: 'ES256', use: 'sig' })
    expect(keys[0]).not.toHaveProperty('d')
  })
})

test('a client of its own may ask for its scopes only', async () => {
  const { publicKey, privateKey } = await generateKeyPair('ES256', { extractable: true })
  await using server = await createAuthorizationServer({
    scopes: ['a', 'b'],
    clients: [
      { clientId: 'mine', method: 'client_secret_basic', secret: 'mine', scopes: ['a'] },
      {
        clientId: 'signer',
        method: 'private_key_jwt',
        publicJwks: { keys: [{ ...(await exportJWK(publicKey)), kid: 'k1' }] },
      },
    ],
  })
  const headers = basicHeader({ clientId: 'mine', secret: 'mine' })
  expect((await requestToken(server, { scope: 'a' }, headers)).body).toMatchObject({ scope: 'a' })
  expect((await requestToken(server, { scope: 'a b' }, headers)).body).toMatchObject({ error: 'invalid_scope' })

  const signer = { ...server.clients.privateKeyJwtEs256, clientId: 'signer', kid: 'k1', privateKey }
  expect((await requestToken(server, await assertionForm(server, signer), {})).status).toBe(200)
})

test.each([
  [
    'a client without a secret',
    { clients: [{ clientId: 'mine', method: 'client_secret_basic' }] },
    'invalid_client_metadata',
  ],
  [
    'a client with the id of a ready one',
    { clients: [{ clientId: 'orders-basic', method: 'client_secret_post' }] },
    'invalid_client_metadata',
  ],
  ['a life of no whole seconds', { lifetimeSeconds: 0.5 }, 'ttl.AccessToken must be a positive integer'],
] as const)('%s is refused at the start', async (_name, options, message) => {
  await expect(createAuthorizationServer(options)).rejects.toThrow(message)
})

test('a token lives as long as asked for', async () => {
  await using server = await createAuthorizationServer({ lifetimeSeconds: 7 })
  const { body, accessToken } = await requestToken(server)
  const { exp, iat } = decodeJwt(accessToken)
  expect([body['expires_in'], Number(exp) - Number(iat)]).toEqual([7, 7])
})
