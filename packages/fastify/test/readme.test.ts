import { TokenwellError, type Upstreams } from '@tokenwell/core'
import { createManualClock, createScriptedServer, tokenReply } from '@tokenwell/testing'
import fastify, { type FastifyInstance, type FastifyPluginAsync } from 'fastify'
import { expect, test, vi } from 'vitest'

import { tokenwell } from '../src/index.ts'
import { urlOf } from '@tokenwell/adapter-suite'
import { runReadme } from '@tokenwell/adapter-suite'
import { startServers } from '@tokenwell/adapter-suite'

test("the README's application calls the API with its token and closes its upstreams", async () => {
  await using servers = await startServers()
  const { clientId, secret } = servers.authorizationServer.clients.basic
  vi.stubEnv('BILLING_SECRET', secret)
  const { app, upstreams } = (await runReadme(
    import.meta.url,
    'start',
    {
      "'@tokenwell/fastify'": "'../src/index.ts'",
      'https://billing.example.com': servers.api.url,
      'https://login.example.com': servers.authorizationServer.issuer,
      "'orders'": JSON.stringify(clientId),
      '3000': "0, host: '127.0.0.1'",
    },
    ['app', 'upstreams'],
  )) as { app: FastifyInstance; upstreams: Upstreams<'billing'> }
  vi.unstubAllEnvs()

  const answer = await fetch(urlOf({ server: app.server, [Symbol.asyncDispose]: () => app.close() }))
  expect(await answer.json()).toMatchObject({ path: '/v1/invoices/42', clientId, scope: 'invoices:read' })
  app.server.closeAllConnections()
  await app.close()
  await expect(upstreams.billing.fetch('/')).rejects.toMatchObject({ code: 'ERR_TOKENWELL_CLOSED' })
})

test("the README's upstreams for tests need no authorization server", async () => {
  await using api = await createScriptedServer(({ headers }) => ({ body: headers }))
  const { upstreams } = (await runReadme(import.meta.url, 'test', { 'http://localhost:4000': api.url }, [
    'upstreams',
  ])) as {
    upstreams: Upstreams<'billing'>
  }
  await using app = fastify()
  await app.register(tokenwell, { upstreams, warmUp: 'required' })
  app.get('/', (request) => request.upstreams.billing.fetch('/').then((response) => response.json()))
  expect((await app.inject('/')).json()).toHaveProperty('authorization', 'Bearer for-tests')
})

test("the README's probes tell whether calls can get a token, and ask nobody", async () => {
  const { probes } = (await runReadme(import.meta.url, 'health', {}, ['probes'])) as { probes: FastifyPluginAsync }
  await using tokenEndpoint = await createScriptedServer(() => tokenReply())
  await using servers = await startServers()
  const clock = createManualClock()
  const upstreams = servers.createBilling({ oauth: { tokenEndpoint: tokenEndpoint.url, clock } })
  await using app = fastify()
  await app.register(tokenwell, { upstreams, warmUp: 'required' })
  await app.register(probes)
  const probe = async (path: string) => {
    const response = await app.inject(path)
    return [response.statusCode, response.json()]
  }
  expect(await probe('/readyz')).toEqual([200, { status: 'ok' }])

  tokenEndpoint.respondWith({ status: 400, body: { error: 'invalid_scope', error_description: 'internal words' } })
  // Past the token's life.
  await clock.advance(4_000_000)
  await expect(upstreams.billing.tokens.get()).rejects.toThrow(TokenwellError)
  const asked = tokenEndpoint.requests.length
  expect(await probe('/readyz')).toEqual([503, { status: 'down' }])
  expect(await probe('/livez')).toEqual([200, { status: 'ok' }])
  expect(tokenEndpoint.requests).toHaveLength(asked)
})
