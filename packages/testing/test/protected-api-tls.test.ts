import { afterAll, beforeAll, expect, test } from 'vitest'

import {
  createAuthorizationServer,
  createProtectedApi,
  type IssuedCertificate,
  type ProtectedApi,
  type TlsAuthorizationServer,
} from '../src/index.ts'
import { tlsFetch } from './tls-fetch.ts'
import { requestToken } from './token-requests.ts'

let server: TlsAuthorizationServer
let api: ProtectedApi
beforeAll(async () => {
  server = await createAuthorizationServer({ tls: true })
  api = await createProtectedApi({ ...server, tls: server.certificateAuthority })
})
afterAll(() => Promise.all([api.close(), server.close()]))

async function boundToken(from = server): Promise<{ token: string; certificate: IssuedCertificate }> {
  const { clientId, certificate } = from.certificateClients.certificateBound
  const send = tlsFetch({ ca: from.ca, ...certificate })
  const form = { client_id: clientId, scope: 'invoices:read' }
  const { accessToken } = await requestToken(from, form, {}, { send, endpoint: from.mtlsTokenEndpoint })
  return { token: accessToken, certificate }
}

async function call(token: string, certificate?: IssuedCertificate, at = api) {
  const send = tlsFetch({ ca: server.ca, ...certificate })
  const response = await send(at.url, { headers: { authorization: `Bearer ${token}` } })
  return { status: response.status, body: (await response.json()) as Record<string, unknown> }
}

test('a token bound to a certificate is taken on a connection with it', async () => {
  const { token, certificate } = await boundToken()
  expect(api.url).toMatch(/^https:/)
  expect(await call(token, certificate)).toMatchObject({ status: 200, body: { clientId: 'orders-bound' } })
  expect(api.requests.at(-1)).toMatchObject({ tokenType: 'Bearer', certificateThumbprint: certificate.x5tS256 })
})

test.each<[string, (bound: IssuedCertificate) => Promise<IssuedCertificate | undefined>]>([
  ['without a certificate', async () => undefined],
  ['with another one', () => server.certificateAuthority.issue({ commonName: 'orders-bound' })],
  [
    'with another one of the same key',
    ({ keyPair }) => server.certificateAuthority.issue({ commonName: 'orders-bound', keyPair }),
  ],
])('a bound token is refused on a connection %s', async (_name, certificateFor) => {
  const { token, certificate } = await boundToken()
  const refused = await call(token, await certificateFor(certificate))
  expect(refused).toEqual({ status: 401, body: { error: 'invalid_token' } })
})

test('a bound token is refused without TLS', async () => {
  await using plain = await createProtectedApi(server)
  const { token } = await boundToken()
  const response = await fetch(plain.url, { headers: { authorization: `Bearer ${token}` } })
  expect(response.status).toBe(401)
})

test('a token that is not bound is taken with any certificate or none', async () => {
  const { clientId, secret } = server.clients.post
  const send = tlsFetch({ ca: server.ca })
  const form = { client_id: clientId, client_secret: secret }
  const { accessToken } = await requestToken(server, form, {}, { send })
  const stranger = await server.certificateAuthority.issue({ commonName: 'stranger', selfSigned: true })
  expect((await call(accessToken)).status).toBe(200)
  expect((await call(accessToken, stranger)).status).toBe(200)
})

test('a bound token that is opaque is checked by introspection over TLS', async () => {
  await using opaque = await createAuthorizationServer({
    tls: server.certificateAuthority,
    accessTokenFormat: 'opaque',
  })
  await using introspecting = await createProtectedApi({ ...opaque, tls: server.certificateAuthority })
  const { token, certificate } = await boundToken(opaque)
  expect((await call(token, certificate, introspecting)).status).toBe(200)
  expect((await call(token, undefined, introspecting)).status).toBe(401)
})

test('tokens cannot be checked while the issuer is not trusted', async () => {
  const { ca: _ca, ...untrusted } = server
  await using doubtful = await createProtectedApi({ ...untrusted, tls: server.certificateAuthority })
  const { token, certificate } = await boundToken()
  expect((await call(token, certificate, doubtful)).status).toBe(503)
})
