import 'reflect-metadata'

import { fork } from 'node:child_process'
import { on, once } from 'node:events'
import { fileURLToPath } from 'node:url'

import { Injectable, Module, type OnApplicationShutdown, type OnModuleDestroy } from '@nestjs/common'
import type { Upstream } from '@tokenwell/core'
import { startServers, type Servers } from '@tokenwell/adapter-suite'
import { createScriptedServer, tokenReply } from '@tokenwell/testing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { InjectUpstream, TokenwellModule } from '../src/index.ts'
import { appOf, nestMajor, start } from './applications.ts'

let servers: Servers
beforeAll(async () => {
  servers = await startServers()
})
afterAll(() => servers[Symbol.asyncDispose]())

// Regression J65: the end of the application ends what it opened.
test.each([
  { closeOnShutdown: undefined, closes: true },
  { closeOnShutdown: true, closes: true },
  { closeOnShutdown: false, closes: false },
])('with closeOnShutdown $closeOnShutdown the upstreams close with the application: $closes', async (row) => {
  await using upstreams = servers.createBilling()
  const root = appOf(TokenwellModule.forRoot({ upstreams, closeOnShutdown: row.closeOnShutdown }))
  const app = await start(root)
  await app.close()
  const call = upstreams.billing.fetch('/invoices/42')
  if (row.closes) await expect(call).rejects.toMatchObject({ code: 'ERR_TOKENWELL_CLOSED' })
  else expect((await call).status).toBe(200)
})

describe('hooks of other modules', () => {
  const said: string[] = []
  @Injectable()
  class LastWords implements OnModuleDestroy, OnApplicationShutdown {
    constructor(@InjectUpstream('billing') private readonly billing: Upstream) {}

    async onModuleDestroy() {
      said.push(`destroy ${(await this.billing.fetch('/destroy')).status}`)
    }

    async onApplicationShutdown() {
      said.push(`shutdown ${(await this.billing.fetch('/shutdown')).status}`)
    }
  }
  @Module({ providers: [LastWords] })
  class Deep {}
  @Module({ imports: [Deep] })
  class Middle {}

  test.each([
    [
      'deep in the application',
      (upstreams: ReturnType<Servers['createBilling']>) => {
        @Module({ imports: [TokenwellModule.forRoot({ upstreams }), Middle] })
        class App {}
        return App
      },
    ],
    [
      'beside a feature of their own',
      (upstreams: ReturnType<Servers['createBilling']>) => {
        @Module({ imports: [TokenwellModule.forFeature({ upstreams })], providers: [LastWords] })
        class Feature {}
        @Module({ imports: [Feature] })
        class App {}
        return App
      },
    ],
  ])('still make calls, %s', async (_, rootOf) => {
    said.length = 0
    const app = await start(rootOf(servers.createBilling()))
    await app.close()
    expect(said).toEqual(['destroy 200', 'shutdown 200'])
  })
})

test('on SIGTERM the request under way is answered, then the upstreams close and the process ends', async () => {
  const [reached, release] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  await using api = await createScriptedServer(async ({ path }) => {
    if (path === '/token') return tokenReply()
    if (path === '/v1/invoices/42') {
      reached.resolve()
      await release.promise
    }
    return { body: { paid: true } }
  })
  const child = fork(fileURLToPath(new URL('service-process.ts', import.meta.url)), [api.url], {
    execArgv: nestMajor === 11 ? ['--import', new URL('../../nestjs-11/register.ts', import.meta.url).href] : [],
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  })
  const complaints = child.stderr!.setEncoding('utf8').toArray()
  const ended = once(child, 'exit')
  const said = on(child, 'message', { close: ['exit'] })
  const next = async () => String((await said.next()).value?.[0])
  try {
    const ready = await next()
    const [, major, url] = /^Nest (\d+)\S* at (\S+)$/.exec(ready) ?? expect.fail(ready)
    expect(Number(major)).toBe(nestMajor)
    const answer = fetch(`${url}/orders/42`, { headers: { connection: 'close' } })
    await reached.promise
    child.kill('SIGTERM')
    expect(await next()).toBe('closing')
    release.resolve()
    expect(await (await answer).json()).toEqual({ paid: true })
    expect(await next()).toBe('said goodbye: 200')
    expect(await next()).toBe('closed')
    expect(await ended).toEqual([null, 'SIGTERM'])
    expect((await complaints).join('')).toBe('')
  } finally {
    child.kill('SIGKILL')
  }
})
