import 'reflect-metadata'

import type { INestApplication } from '@nestjs/common'
import type { TestingModule } from '@nestjs/testing'
import type { Upstream, Upstreams } from '@tokenwell/core'
import { expect, test, vi } from 'vitest'

import { getUpstreamToken, UPSTREAMS } from '../src/index.ts'
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
      "'@tokenwell/nestjs'": "'../src/index.ts'",
      'https://billing.example.com': servers.api.url,
      'https://login.example.com': servers.authorizationServer.issuer,
      "clientId: 'orders'": `clientId: ${JSON.stringify(clientId)}`,
      'create(AppModule)': 'create(AppModule, { logger: false })',
      '3000': "0, '127.0.0.1'",
    },
    ['app', 'upstreams'],
  )) as { app: INestApplication; upstreams: Upstreams<'billing'> }
  vi.unstubAllEnvs()

  const server = app.getHttpServer() as Parameters<typeof urlOf>[0]['server']
  const answer = await fetch(urlOf({ server, [Symbol.asyncDispose]: () => app.close() }))
  expect(await answer.json()).toMatchObject({ path: '/v1/invoices/42', clientId, scope: 'invoices:read' })
  server.closeAllConnections()
  await app.close()
  await expect(upstreams.billing.fetch('/')).rejects.toMatchObject({ code: 'ERR_TOKENWELL_CLOSED' })
})

const config = `
class Config {
  readonly billing = { url: 'http://127.0.0.1:1', issuer: 'http://127.0.0.1:1', secret: 'for tests' }
}
@Module({ providers: [Config], exports: [Config] })
class ConfigModule {}
`

test("the README's test puts something in an upstream's place", async () => {
  const { module } = (await runReadme(
    import.meta.url,
    'module|test',
    {
      "'@tokenwell/nestjs'": "'../src/index.ts'",
      "import { Config, ConfigModule } from './config.ts'": config,
      "import { AppModule } from './app.module.ts'": '',
    },
    ['module'],
  )) as { module: TestingModule }
  const billing = module.get<Upstream>(getUpstreamToken('billing'))
  expect(await (await billing.fetch('/invoices/42')).json()).toEqual({ id: '42', paid: true })
  expect(Object.keys(module.get<Upstreams>(UPSTREAMS))).toContain('billing')
})
