import { expect, test, vi } from 'vitest'

import { createAuthorizationServer } from '../src/index.ts'
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
