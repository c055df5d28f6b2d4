import 'reflect-metadata'

import { Module, type DynamicModule, type Type } from '@nestjs/common'
import { TerminusModule } from '@nestjs/terminus'
import { runReadme, startServers, urlOf, type Servers } from '@tokenwell/adapter-suite'
import type { HealthStatus } from '@tokenwell/core'
import { createScriptedServer, tokenReply } from '@tokenwell/testing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { TokenwellModule } from '../src/index.ts'
import { create, listen, nestMajor, platforms } from './applications.ts'

let servers: Servers
beforeAll(async () => {
  servers = await startServers()
})
afterAll(() => servers[Symbol.asyncDispose]())

// What the README tells its readers to write.
const replacements = { "'@tokenwell/nestjs'": "'../src/index.ts'" }
const { Readiness } = (await runReadme(import.meta.url, 'readiness', replacements, ['Readiness'])) as {
  Readiness: Type
}

/** Upstreams that are so, since their authorization server has given a token and refuses the next, or either of it. */
async function upstreamsThatAre(status: HealthStatus) {
  const tokenEndpoint = await createScriptedServer(() => tokenReply())
  const upstreams = servers.createBilling({ oauth: { tokenEndpoint: tokenEndpoint.url, clientId: 'zq-client' } })
  if (status !== 'down') await upstreams.warmUp()
  tokenEndpoint.respondWith({ status: 400, body: { error: 'invalid_client', error_description: 'zq words' } })
  if (status !== 'ok') {
    await expect(upstreams.billing.tokens.get({ forceRenewal: true })).rejects.toMatchObject({ statusCode: 502 })
  }
  expect(upstreams.health().status).toBe(status)
  const module = { upstreams, warmUp: 'off' } as const
  return { module, [Symbol.asyncDispose]: () => tokenEndpoint.close() }
}

describe.each(platforms)(`@nestjs/terminus with Nest ${nestMajor} on $platform`, ({ createAdapter }) => {
  async function readiness(root: DynamicModule, ...own: DynamicModule[]) {
    @Module({ imports: [TerminusModule.forRoot({ logger: false }), ...own], controllers: [Readiness] })
    class ReadinessModule {}
    @Module({ imports: [root, ReadinessModule] })
    class App {}
    await using service = await listen(await create(App, createAdapter()))
    const response = await fetch(new URL('/ready', urlOf(service)))
    const text = await response.text()
    expect(text).not.toMatch(/zq|invalid_client|error_description|127\.0\.0\.1/)
    return { code: response.status, body: JSON.parse(text) as unknown }
  }

  test.each([
    { status: 'ok', told: 'up', code: 200 },
    { status: 'degraded', told: 'up', code: 200 },
    { status: 'down', told: 'down', code: 503 },
  ] as const)('upstreams that are $status are $told, and nothing else is told: $code', async (row) => {
    const { status, told, code } = row
    await using are = await upstreamsThatAre(status)
    const answer = await readiness(TokenwellModule.forRoot(are.module))
    const details = { upstreams: { status: told, upstreams: { billing: status } } }
    expect(answer).toMatchObject({ code, body: { status: code === 200 ? 'ok' : 'error' } })
    expect((answer.body as { details: unknown }).details).toEqual(details)
  })

  test('a module asks about its own upstreams', async () => {
    await using down = await upstreamsThatAre('down')
    await using ok = await upstreamsThatAre('ok')
    const feature = TokenwellModule.forFeature(ok.module)
    expect(await readiness(TokenwellModule.forRoot(down.module), feature)).toMatchObject({ code: 200 })
  })

  test('asks the authorization server nothing, not even where there is no token yet', async () => {
    await using tokenEndpoint = await createScriptedServer(() => tokenReply())
    const upstreams = servers.createBilling({ oauth: { tokenEndpoint: tokenEndpoint.url } })
    expect(await readiness(TokenwellModule.forRoot({ upstreams, warmUp: 'off' }))).toMatchObject({ code: 200 })
    expect(tokenEndpoint.requests).toHaveLength(0)
  })
})
