import { generateKeyPair } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { createAuthorizationServer, type AuthorizationServer, type ClientDefinition } from '../src/index.ts'
import { assertionForm, basicHeader, requestToken } from './token-requests.ts'

const keyAlgorithms = [
  ...(['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'] as const),
  ...(['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'] as const),
]
const secretAlgorithms = ['HS256', 'HS384', 'HS512'] as const

let server: AuthorizationServer
beforeAll(async () => {
  server = await createAuthorizationServer()
})
afterAll(() => server.close())

describe('assertions', () => {
  test.each([...keyAlgorithms, ...secretAlgorithms])('one by %s is accepted', async (algorithm) => {
    const client = server.clients.byAlgorithm[algorithm]
    const { status } = await requestToken(server, await assertionForm(server, client), {})
    const { clientAssertion, ...record } = server.tokenRequests.at(-1) ?? {}
    expect(status).toBe(200)
    expect(record).toMatchObject({ clientId: client.clientId, clientAuthMethod: client.method })
    expect(clientAssertion?.header['alg']).toBe(algorithm)
  })

  test('the record shows what an assertion said', async () => {
    const client = server.clients.privateKeyJwtEs256
    const form = await assertionForm(server, client, { aud: [server.tokenEndpoint], jti: 'the-jti' })
    await requestToken(server, form, {})
    const record = server.tokenRequests.at(-1)
    expect(record?.clientAssertion).toMatchObject({
      header: { alg: 'ES256', kid: client.kid },
      claims: { iss: client.clientId, sub: client.clientId, aud: [server.tokenEndpoint], jti: 'the-jti' },
    })
    expect(JSON.stringify(record)).not.toContain(form['client_assertion']?.split('.')[2])
  })

  test.each([...keyAlgorithms, ...secretAlgorithms])(
    'a client of %s is refused with another algorithm',
    async (algorithm) => {
      const client = server.clients.byAlgorithm[algorithm]
      const { clientId } = client
      const other = algorithm === 'RS256' ? 'RS384' : 'RS256'
      const signer =
        client.method === 'client_secret_jwt'
          ? { ...client, algorithm: algorithm === 'HS512' ? ('HS256' as const) : ('HS512' as const) }
          : { ...server.clients.byAlgorithm[other], clientId }
      const form = await assertionForm(server, signer)
      expect((await requestToken(server, form, {})).body).toMatchObject({ error: 'invalid_client' })
      expect(server.tokenRequests.at(-1)).toMatchObject({ status: 401, error: 'invalid_client' })
    },
  )

  test.each([
    ['for another server', { aud: 'https://login.example.org' }],
    ['that has expired', { exp: Math.floor(Date.now() / 1000) - 60 }],
    ['by another issuer', { iss: 'orders-rs256' }],
    ['without jti', { jti: undefined }],
  ])('one %s is refused', async (_name, claims) => {
    const form = await assertionForm(server, server.clients.privateKeyJwtEs256, claims)
    expect((await requestToken(server, form, {})).body).toMatchObject({ error: 'invalid_client' })
  })

  test('one by another key is refused', async () => {
    const { privateKey } = await generateKeyPair('ES256')
    const form = await assertionForm(server, { ...server.clients.privateKeyJwtEs256, privateKey })
    expect((await requestToken(server, form, {})).body).toMatchObject({ error: 'invalid_client' })
  })
})

test('a secret may have 512 characters of any printable ASCII', async () => {
  const printable = Array.from({ length: 95 }, (_, index) => String.fromCodePoint(32 + index)).join('')
  const secret = printable.repeat(6).slice(0, 512)
  await using strict = await createAuthorizationServer({
    clients: [{ clientId: 'a:b %2B', method: 'client_secret_basic', secret }],
  })
  const { status } = await requestToken(strict, {}, basicHeader({ clientId: 'a:b %2B', secret }))
  expect(status).toBe(200)
})

describe('a client that does not authenticate', () => {
  test('gets no token by client credentials', async () => {
    const { clientId } = server.clients.publicClient
    const { status, body } = await requestToken(server, { client_id: clientId }, {})
    expect([status, body['error']]).toEqual([400, 'invalid_request'])
    expect(server.tokenRequests.at(-1)).toMatchObject({ clientId, clientAuthMethod: 'none' })
  })

  test('is not registered for them', async () => {
    const client: ClientDefinition = { clientId: 'mine', method: 'none', grants: ['client_credentials'] }
    await expect(createAuthorizationServer({ clients: [client] })).rejects.toThrow(TypeError)
  })
})

test.each([
  ['private_key_jwt without keys', { method: 'private_key_jwt' }, 'invalid_client_metadata'],
  [
    'tls_client_auth without TLS',
    { method: 'tls_client_auth', certificateSubject: { dn: 'CN=mine' } },
    'invalid_client_metadata',
  ],
  [
    'bound tokens without TLS',
    { method: 'client_secret_basic', secret: 's', certificateBoundTokens: true },
    'mine: certificateBoundTokens needs a server with TLS',
  ],
] as const)('%s is refused at the start', async (_name, client, message) => {
  await expect(createAuthorizationServer({ clients: [{ clientId: 'mine', ...client }] })).rejects.toThrow(message)
})

test('a client may use the grants it is registered for only', async () => {
  await using strict = await createAuthorizationServer({
    clients: [{ clientId: 'mine', method: 'client_secret_basic', secret: 's', grants: ['refresh_token'] }],
  })
  const headers = basicHeader({ clientId: 'mine', secret: 's' })
  expect((await requestToken(strict, {}, headers)).body).toMatchObject({ error: 'invalid_request' })
  await expect(strict.issueAuthorizationCode({ clientId: 'mine', subject: 'alice' })).rejects.toThrow(TypeError)
})
