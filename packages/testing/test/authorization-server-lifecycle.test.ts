import { decodeJwt } from 'jose'
import { expect, test, vi } from 'vitest'

import { createAuthorizationServer } from '../src/index.ts'
import { failureCode, tlsFetch } from './tls-fetch.ts'
import { basicHeader, requestToken } from './token-requests.ts'

test('the answer waits for the delay', async () => {
  await using server = await createAuthorizationServer({ delayMs: 50 })
  // The first request takes longer than the others in any case.
  await requestToken(server)
  const start = performance.now()
  await requestToken(server)
  expect(performance.now() - start).toBeGreaterThanOrEqual(49)
})

test('a listener can hold one answer, and the request is counted meanwhile', async () => {
  await using server = await createAuthorizationServer()
  const arrived = Promise.withResolvers<void>()
  const release = Promise.withResolvers<void>()
  const remove = server.onTokenRequest(async ({ index }) => {
    arrived.resolve()
    if (index === 0) await release.promise
  })

  const held = requestToken(server, { scope: 'invoices:read' })
  await arrived.promise
  expect(server.tokenRequestCount).toBe(1)
  await requestToken(server, { scope: 'profile:read' })
  expect(server.tokenRequestCount).toBe(2)
  expect(server.tokenRequests.map(({ scope }) => scope)).toEqual(['profile:read'])
  release.resolve()
  expect((await held).status).toBe(200)
  expect(server.tokenRequests.map(({ scope }) => scope)).toEqual(['profile:read', 'invoices:read'])

  remove()
  const removed = vi.fn()
  server.onTokenRequest(removed)()
  await requestToken(server)
  expect(removed).not.toHaveBeenCalled()
})

test('closing ends a request that is being held and frees the port', async () => {
  const server = await createAuthorizationServer({ delayMs: 60_000 })
  const arrived = Promise.withResolvers<void>()
  server.onTokenRequest(() => arrived.resolve())
  const answer = requestToken(server)
  await arrived.promise
  await Promise.all([expect(answer).rejects.toThrow('fetch failed'), server.close()])
  await server.close()

  const port = Number(new URL(server.issuer).port)
  await using successor = await createAuthorizationServer({ port })
  expect(successor.issuer).toBe(server.issuer)
})

test('closing ends the connections of TLS as well', async () => {
  const server = await createAuthorizationServer({ tls: true, delayMs: 60_000 })
  const arrived = Promise.withResolvers<void>()
  let arrivals = 0
  server.onTokenRequest(() => {
    arrivals += 1
    if (arrivals === 2) arrived.resolve()
  })
  const send = tlsFetch({ ca: server.ca })
  const answers = [server.tokenEndpoint, server.mtlsTokenEndpoint].map((endpoint) =>
    failureCode(send(endpoint, { method: 'POST' })),
  )
  await arrived.promise
  await server.close()
  expect(await Promise.all(answers)).toEqual(['UND_ERR_SOCKET', 'UND_ERR_SOCKET'])
  for (const endpoint of [server.tokenEndpoint, server.mtlsTokenEndpoint]) {
    expect(await failureCode(send(endpoint))).toBe('ECONNREFUSED')
  }
})

test('nothing is printed', async () => {
  const spies = (['log', 'info', 'warn', 'error'] as const).map((method) => vi.spyOn(console, method))
  const write = vi.spyOn(process.stderr, 'write')
  await using server = await createAuthorizationServer()
  await requestToken(server)
  await requestToken(server, { grant_type: 'unknown' })
  await fetch(server.tokenEndpoint, { headers: { accept: 'text/html', origin: 'https://example.com' } })
  await fetch(server.tokenEndpoint, {
    method: 'POST',
    headers: { accept: 'text/html', origin: 'https://example.com', ...basicHeader(server.clients.basic) },
  })
  server.onTokenRequest(() => {
    throw new Error('a listener that fails')
  })
  const failed = await fetch(server.tokenEndpoint, { method: 'POST' })
  expect(failed.status).toBe(500)
  for (const spy of [...spies, write]) expect(spy).not.toHaveBeenCalled()
  vi.restoreAllMocks()
})

test('nothing is printed about users, and their ID tokens are issued', async () => {
  const spies = (['log', 'info', 'warn', 'error'] as const).map((method) => vi.spyOn(console, method))
  const write = vi.spyOn(process.stderr, 'write')
  await using server = await createAuthorizationServer()
  const consent = { clientId: 'orders-basic', subject: 'alice', scope: 'openid invoices:read' }
  const redeemed = await requestToken(server, {
    grant_type: 'authorization_code',
    code: await server.issueAuthorizationCode(consent),
    redirect_uri: 'https://orders.example.com/callback',
  })
  expect(decodeJwt(String(redeemed.body['id_token']))).toMatchObject({ sub: 'alice', aud: 'orders-basic' })
  const refreshed = await requestToken(server, {
    grant_type: 'refresh_token',
    refresh_token: await server.issueRefreshToken(consent),
  })
  const exchanged = await requestToken(server, {
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    subject_token: refreshed.accessToken,
    subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
  })
  expect([redeemed.status, refreshed.status, exchanged.status]).toEqual([200, 200, 200])
  for (const spy of [...spies, write]) expect(spy).not.toHaveBeenCalled()
  vi.restoreAllMocks()
})
