import { once } from 'node:events'
import type { Server } from 'node:http'

import type { Upstreams } from '@tokenwell/core'
import { createScriptedServer } from '@tokenwell/testing'
import express from 'express'
import { expect, test, vi } from 'vitest'

import { tokenwell } from '../src/index.ts'
import { urlOf, type Service } from '@tokenwell/adapter-suite'
import { runReadme } from '@tokenwell/adapter-suite'
import { startServers } from '@tokenwell/adapter-suite'

const unused = { [Symbol.asyncDispose]: async () => {} }
const asService = (server: Server): Service => ({ server, ...unused })

test("the README's application calls the API with its token, answers errors and closes its upstreams", async () => {
  await using servers = await startServers()
  const { clientId, secret } = servers.authorizationServer.clients.basic
  vi.stubEnv('BILLING_SECRET', secret)
  const { server, upstreams } = (await runReadme(
    import.meta.url,
    'start',
    {
      "'@tokenwell/express'": "'../src/index.ts'",
      'https://billing.example.com': servers.api.url,
      'https://login.example.com': servers.authorizationServer.issuer,
      "'orders'": JSON.stringify(clientId),
      '3000': "0, '127.0.0.1'",
    },
    ['server', 'upstreams'],
  )) as { server: Server; upstreams: Upstreams<'billing'> }
  if (!server.listening) await once(server, 'listening')

  const answer = await (await fetch(urlOf(asService(server)))).json()
  expect(answer).toMatchObject({ path: '/v1/invoices/42', clientId, scope: 'invoices:read' })

  const probe = async (path: string) => {
    const response = await fetch(new URL(path, urlOf(asService(server))))
    return [response.status, await response.json()]
  }
  expect(await probe('/readyz')).toEqual([200, { status: 'ok' }])

  const logged = vi.spyOn(console, 'error').mockReturnValue()
  await servers.authorizationServer.close()
  upstreams.billing.tokens.invalidate(await upstreams.billing.tokens.get())
  const refusal = await fetch(urlOf(asService(server)))
  expect([refusal.status, await refusal.json()]).toEqual([
    503,
    { message: expect.stringContaining('"billing"') as string },
  ])
  expect(logged).toHaveBeenCalledOnce()
  expect(await probe('/readyz')).toEqual([503, { status: 'down' }])
  expect(await probe('/livez')).toEqual([200, { status: 'ok' }])
  logged.mockRestore()

  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
  await expect(upstreams.billing.fetch('/')).rejects.toMatchObject({ code: 'ERR_TOKENWELL_CLOSED' })
  vi.unstubAllEnvs()
})

test("the README's upstreams for tests need no authorization server", async () => {
  await using api = await createScriptedServer(({ headers }) => ({ body: headers }))
  const { upstreams } = (await runReadme(import.meta.url, 'test', { 'http://localhost:4000': api.url }, [
    'upstreams',
  ])) as {
    upstreams: Upstreams<'billing'>
  }
  const app = express()
  app.use(tokenwell(upstreams), (req, res, next) => {
    req.upstreams.billing.request('/').then(({ body }) => body.pipe(res), next)
  })
  const server = app.listen(0, '127.0.0.1')
  await once(server, 'listening')
  expect(await (await fetch(urlOf(asService(server)))).json()).toHaveProperty('authorization', 'Bearer for-tests')
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
  await upstreams.close()
})
