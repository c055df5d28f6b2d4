import { decodeJwt } from 'jose'
import * as oauth from 'oauth4webapi'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import {
  createAuthorizationServer,
  createCertificateAuthority,
  type CertificateClient,
  type IssuedCertificate,
  type TlsAuthorizationServer,
} from '../src/index.ts'
import { failureCode, tlsFetch } from './tls-fetch.ts'
import { basicHeader, requestToken, type TokenAnswer } from './token-requests.ts'

let server: TlsAuthorizationServer
beforeAll(async () => {
  server = await createAuthorizationServer({ tls: true })
})
afterAll(() => server.close())

function tokenByCertificate(
  { clientId }: { clientId: string },
  certificate: IssuedCertificate | undefined,
  endpoint = server.mtlsTokenEndpoint,
): Promise<TokenAnswer> {
  const send = tlsFetch({ ca: server.ca, ...certificate })
  return requestToken(server, { client_id: clientId }, {}, { send, endpoint })
}

const issue = (client: CertificateClient, options: object = {}) =>
  server.certificateAuthority.issue({ commonName: client.clientId, ...options })

const invalidClient = { status: 401, body: { error: 'invalid_client' } }

describe('over TLS', () => {
  test('its metadata names endpoints of https and an alias at another port', async () => {
    const issuer = new URL(server.issuer)
    const response = await tlsFetch({ ca: server.ca })(server.metadataUrl)
    const metadata = await oauth.processDiscoveryResponse(issuer, response)
    expect(metadata).toMatchObject({
      issuer: expect.stringMatching(/^https:\/\/127\.0\.0\.1:\d+$/),
      token_endpoint: server.tokenEndpoint,
      tls_client_certificate_bound_access_tokens: true,
      mtls_endpoint_aliases: { token_endpoint: server.mtlsTokenEndpoint },
    })
    expect(new URL(server.mtlsTokenEndpoint).origin).not.toBe(issuer.origin)
  })

  test('a client that trusts another authority does not connect', async () => {
    const other = await createCertificateAuthority()
    expect(await failureCode(tlsFetch({ ca: other.cert })(server.metadataUrl))).toBe('SELF_SIGNED_CERT_IN_CHAIN')
  })

  test('methods without a certificate work at either port', async () => {
    const send = tlsFetch({ ca: server.ca })
    for (const endpoint of [server.tokenEndpoint, server.mtlsTokenEndpoint]) {
      const headers = basicHeader(server.clients.basic)
      expect((await requestToken(server, {}, headers, { send, endpoint })).status).toBe(200)
    }
  })
})

describe('tls_client_auth', () => {
  test('the certificate of the client is accepted', async () => {
    const client = server.certificateClients.tlsClientAuth
    expect((await tokenByCertificate(client, client.certificate)).status).toBe(200)
    expect(server.tokenRequests.at(-1)).toMatchObject({
      clientId: client.clientId,
      clientAuthMethod: 'tls_client_auth',
      certificateThumbprint: client.certificate.x5tS256,
    })
  })

  test('so is a renewed one', async () => {
    const client = server.certificateClients.tlsClientAuth
    const renewed = await issue(client, { keyPair: client.certificate.keyPair })
    expect((await tokenByCertificate(client, renewed)).status).toBe(200)
  })

  test('at the ordinary port no certificate is seen', async () => {
    const client = server.certificateClients.tlsClientAuth
    expect(await tokenByCertificate(client, client.certificate, server.tokenEndpoint)).toMatchObject(invalidClient)
    expect(server.tokenRequests.at(-1)).not.toHaveProperty('certificateThumbprint')
    expect(server.tokenRequests.at(-1)).toMatchObject({ clientAuthMethod: 'none' })
  })

  test.each<[string, (client: CertificateClient) => Promise<IssuedCertificate | undefined>]>([
    ['no certificate', async () => undefined],
    ['the certificate of another client', () => issue(server.certificateClients.selfSignedTlsClientAuth)],
    ['a certificate that has expired', (client) => issue(client, { notAfter: new Date(Date.now() - 60_000) })],
    ['a certificate signed by itself', (client) => issue(client, { selfSigned: true })],
    ['a certificate for servers', (client) => issue(client, { usage: 'server' })],
    [
      'a certificate of another authority',
      async ({ clientId }) => (await createCertificateAuthority()).issue({ commonName: clientId }),
    ],
  ])('%s is refused', async (_name, certificateFor) => {
    const client = server.certificateClients.tlsClientAuth
    expect(await tokenByCertificate(client, await certificateFor(client))).toMatchObject(invalidClient)
  })
})

describe('self_signed_tls_client_auth', () => {
  test('the certificate of the client is accepted', async () => {
    const client = server.certificateClients.selfSignedTlsClientAuth
    expect((await tokenByCertificate(client, client.certificate)).status).toBe(200)
    expect(server.tokenRequests.at(-1)).toMatchObject({ clientAuthMethod: 'self_signed_tls_client_auth' })
  })

  test('another of the same key is refused', async () => {
    const client = server.certificateClients.selfSignedTlsClientAuth
    const other = await issue(client, { selfSigned: true, keyPair: client.certificate.keyPair })
    expect(await tokenByCertificate(client, other)).toMatchObject(invalidClient)
  })
})

describe('tokens bound to a certificate', () => {
  test('name the certificate', async () => {
    const client = server.certificateClients.certificateBound
    const { accessToken, body } = await tokenByCertificate(client, client.certificate)
    expect(decodeJwt(accessToken)['cnf']).toEqual({ 'x5t#S256': client.certificate.x5tS256 })
    expect(body['token_type']).toBe('Bearer')
  })

  test('name it as well when they come of a token exchange', async () => {
    const { clientId, certificate } = server.certificateClients.certificateBound
    const { accessToken: subjectToken } = await tokenByCertificate({ clientId }, certificate)
    const form = {
      client_id: clientId,
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token: subjectToken,
      subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    }
    const send = tlsFetch({ ca: server.ca, ...certificate })
    const { accessToken } = await requestToken(server, form, {}, { send, endpoint: server.mtlsTokenEndpoint })
    expect(decodeJwt(accessToken)['cnf']).toEqual({ 'x5t#S256': certificate.x5tS256 })
  })

  test('those of a client that wants none are not bound', async () => {
    const client = server.certificateClients.tlsClientAuth
    const { accessToken } = await tokenByCertificate(client, client.certificate)
    expect(decodeJwt(accessToken)).not.toHaveProperty('cnf')
  })
})

test('a client with a secret can have bound tokens, and gets none without a certificate', async () => {
  const client = { clientId: 'mine', secret: 's' }
  await using bound = await createAuthorizationServer({
    tls: server.certificateAuthority,
    clients: [{ ...client, method: 'client_secret_basic', certificateBoundTokens: true }],
  })
  expect(bound.ca).toBe(server.ca)
  const { cert, key, x5tS256 } = await issue(server.certificateClients.tlsClientAuth)
  const endpoint = bound.mtlsTokenEndpoint
  const withCertificate = { send: tlsFetch({ ca: bound.ca, cert, key }), endpoint }
  const { accessToken } = await requestToken(bound, {}, basicHeader(client), withCertificate)
  expect(decodeJwt(accessToken)['cnf']).toEqual({ 'x5t#S256': x5tS256 })

  const without = { send: tlsFetch({ ca: bound.ca }), endpoint }
  expect((await requestToken(bound, {}, basicHeader(client), without)).body).toMatchObject({ error: 'invalid_grant' })
})

test('client certificates can be asked for at the ordinary port, without an alias', async () => {
  await using ordinary = await createAuthorizationServer({ tls: true, mtlsEndpoint: 'ordinary' })
  const { clientId, certificate } = ordinary.certificateClients.tlsClientAuth
  const send = tlsFetch({ ca: ordinary.ca, ...certificate })
  expect((await requestToken(ordinary, { client_id: clientId }, {}, { send })).status).toBe(200)
  expect(ordinary.mtlsTokenEndpoint).toBe(ordinary.tokenEndpoint)
  expect(await (await send(ordinary.metadataUrl)).json()).not.toHaveProperty('mtls_endpoint_aliases')
})

test.each([
  { dn: 'CN=mine' },
  { dns: 'orders.example.com' },
  { uri: 'spiffe://example.com/orders' },
  { ip: '192.0.2.7' },
  { email: 'orders@example.com' },
])('a client can be known by %o in its certificate', async (certificateSubject) => {
  await using known = await createAuthorizationServer({
    tls: server.certificateAuthority,
    clients: [{ clientId: 'mine', method: 'tls_client_auth', certificateSubject }],
  })
  const ask = async (commonName: string, sans: readonly string[]) => {
    const { cert, key } = await server.certificateAuthority.issue({ commonName, sans })
    const send = tlsFetch({ ca: known.ca, cert, key })
    return requestToken(known, { client_id: 'mine' }, {}, { send, endpoint: known.mtlsTokenEndpoint })
  }
  const right = Object.values(certificateSubject)[0] ?? ''
  expect((await ask('mine', right.includes('=') ? [] : ['other.example.com', right])).status).toBe(200)
  const wrong = ['other.example.com', 'spiffe://example.com/other', '192.0.2.8', 'other@example.com']
  expect(await ask('other', wrong)).toMatchObject(invalidClient)
})
