import 'reflect-metadata'

import { setImmediate } from 'node:timers/promises'

import { Injectable, Module } from '@nestjs/common'
import { Test } from '@nestjs/testing'
import { TokenwellError, type Upstream, type Upstreams } from '@tokenwell/core'
import { createScriptedServer, tokenReply } from '@tokenwell/testing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { getUpstreamToken, InjectUpstream, InjectUpstreams, TokenwellModule } from '../src/index.ts'
import type { TokenwellModuleOptions } from '../src/index.ts'
import { appOf, create, Invoices, platforms, start } from './applications.ts'
import { startServers, type Servers } from '@tokenwell/adapter-suite'

let servers: Servers
beforeAll(async () => {
  servers = await startServers()
})
afterAll(() => servers[Symbol.asyncDispose]())

describe('forRootAsync', () => {
  @Injectable()
  class Settings {
    readonly options = () => ({ upstreams: servers.createBilling(), warmUp: 'off' }) as const
  }
  @Module({ providers: [Settings], exports: [Settings] })
  class SettingsModule {}
  @Injectable()
  class Factory {
    createTokenwellOptions(): TokenwellModuleOptions {
      return { upstreams: servers.createBilling(), warmUp: 'off' }
    }
  }
  @Module({ providers: [Factory], exports: [Factory] })
  class FactoryModule {}

  test.each([
    [
      'useFactory, with what it has injected',
      () =>
        TokenwellModule.forRootAsync({
          imports: [SettingsModule],
          inject: [Settings],
          useFactory: async (settings: Settings) => settings.options(),
        }),
    ],
    ['useClass', () => TokenwellModule.forRootAsync({ useClass: Factory })],
    ['useExisting', () => TokenwellModule.forRootAsync({ imports: [FactoryModule], useExisting: Factory })],
  ])('makes the upstreams by %s', async (_, root) => {
    await using app = await start(appOf(root()))
    expect(await app.get(Invoices).get()).toMatchObject({ path: '/v1/invoices/42' })
  })

  test.each([
    [{}, /^upstreams: /],
    [{ upstreams: {} }, /^upstreams: /],
    [{ warmUp: 'later' }, /^warmUp: /],
    [{ propagate: ['cookie'] }, /^propagate: cookie/],
  ])('refuses %j from its factory, by the name of what is wrong', async (options, message) => {
    const upstreams = servers.createBilling()
    const useFactory = () =>
      ('propagate' in options || 'warmUp' in options ? { upstreams, ...options } : options) as never
    const starting = start(appOf(TokenwellModule.forRootAsync({ useFactory })))
    await expect(starting).rejects.toThrow(expect.objectContaining({ name: 'TypeError' }))
    await expect(starting).rejects.toThrow(message)
  })

  test('refuses to be called without a way to make the options', () => {
    expect(() => TokenwellModule.forRootAsync({})).toThrow('forRootAsync: expected useFactory, useClass or useExisting')
  })

  test('gives upstreams to factories that list their token', async () => {
    @Module({
      imports: [TokenwellModule.forRootAsync({ useClass: Factory })],
      providers: [
        { provide: 'invoices', inject: [getUpstreamToken('billing')], useFactory: (upstream: Upstream) => upstream },
      ],
    })
    class App {}
    await using app = await start(App)
    expect(app.get<Upstream>('invoices')).toBe(app.get(getUpstreamToken('billing')))
    expect((await app.get<Upstream>('invoices').fetch('/invoices/42')).status).toBe(200)
  })

  test('an upstream that there is not fails when it is used, with the names that there are', async () => {
    @Injectable()
    class Lost {
      constructor(@InjectUpstream('archive') readonly archive: Upstream) {}
    }
    @Module({ imports: [TokenwellModule.forRootAsync({ useClass: Factory })], providers: [Lost] })
    class App {}
    await using app = await start(App)
    const { archive } = app.get(Lost)
    const message = 'There is no upstream "archive"; there are: billing'
    for (const use of [
      () => archive.fetch('/'),
      () => archive.request('/'),
      () => archive.dispatcher,
      () => archive.tokens,
      () => archive.with({}),
      () => archive.close(),
    ]) {
      expect(use).toThrow(new TypeError(message))
    }
  })
})

test.each([
  ['forRoot', () => TokenwellModule.forRoot({ upstreams: servers.createBilling() })],
  ['forRootAsync', () => TokenwellModule.forRootAsync({ useFactory: () => ({ upstreams: servers.createBilling() }) })],
])('%s is for every module of the application', async (_, root) => {
  @Module({ providers: [Invoices], exports: [Invoices] })
  class InvoicesModule {}
  @Module({ imports: [root(), InvoicesModule] })
  class App {}
  await using app = await start(App)
  expect(await app.get(Invoices).get()).toMatchObject({ path: '/v1/invoices/42' })
})

describe('a standalone application', () => {
  test('has its upstreams outside requests', async () => {
    const root = appOf(TokenwellModule.forRoot({ upstreams: servers.createBilling() }))
    await using app = await start(root)
    const { clientId, headers } = await app.get(Invoices).get()
    expect(clientId).toBe(servers.authorizationServer.clients.basic.clientId)
    expect(headers).not.toHaveProperty('x-request-id')
  })

  test('gets all upstreams together by @InjectUpstreams', async () => {
    @Injectable()
    class Everything {
      constructor(@InjectUpstreams() readonly upstreams: Upstreams<'billing'>) {}
    }
    const upstreams = servers.createBilling()
    @Module({ imports: [TokenwellModule.forRoot({ upstreams })], providers: [Everything] })
    class App {}
    await using app = await start(App)
    expect(app.get(Everything).upstreams).toBe(upstreams)
  })

  test('does not start with an upstream that forRoot has not', async () => {
    @Injectable()
    class Lost {
      constructor(@InjectUpstream('warehouse') readonly warehouse: Upstream) {}
    }
    await using upstreams = servers.createBilling()
    @Module({ imports: [TokenwellModule.forRoot({ upstreams })], providers: [Lost] })
    class App {}
    const starting = start(App)
    await expect(starting).rejects.toThrow(/warehouse/)
  })
})

// Regression J65: override in a testing module.
test("a test puts something in an upstream's place by its token", async () => {
  const root = appOf(TokenwellModule.forRoot({ upstreams: servers.createBilling(), warmUp: 'off' }))
  const billing = { fetch: async () => Response.json({ path: 'from the test' }) }
  const module = await Test.createTestingModule({ imports: [root] })
    .overrideProvider(getUpstreamToken('billing'))
    .useValue(billing)
    .compile()
  expect(await module.get(Invoices).get()).toEqual({ path: 'from the test' })
})

describe("with warmUp 'required'", () => {
  test('the application is initialized when there is a token, not before', async () => {
    const [arrived, release] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    await using tokenEndpoint = await createScriptedServer(async () => {
      arrived.resolve()
      await release.promise
      return tokenReply()
    })
    const upstreams = servers.createBilling({ oauth: { tokenEndpoint: tokenEndpoint.url } })
    const root = appOf(TokenwellModule.forRoot({ upstreams, warmUp: 'required' }))
    const events: string[] = []
    const module = await Test.createTestingModule({ imports: [root] }).compile()
    const started = module.init().then(() => events.push('started'))
    await arrived.promise
    await setImmediate()
    events.push('released')
    release.resolve()
    await started
    expect(events).toEqual(['released', 'started'])
    await module.close()
  })

  test.each(platforms)('the application on $platform does not start where there is none', async ({ createAdapter }) => {
    await using tokenEndpoint = await createScriptedServer({ status: 400, body: { error: 'invalid_scope' } })
    await using upstreams = servers.createBilling({ oauth: { tokenEndpoint: tokenEndpoint.url } })
    const root = appOf(TokenwellModule.forRoot({ upstreams, warmUp: 'required' }))
    const app = await create(root, createAdapter())
    await expect(app.listen(0, '127.0.0.1')).rejects.toThrow(TokenwellError)
    await app.close()
  })
})

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
