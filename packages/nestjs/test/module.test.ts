import 'reflect-metadata'

import { setImmediate } from 'node:timers/promises'

import { Controller, Get, Injectable, Module, UseGuards, type CanActivate, type ModuleMetadata } from '@nestjs/common'
import { REQUEST } from '@nestjs/core'
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

  test('refuses to start with a factory that depends on the request', async () => {
    const useFactory = () => ({ upstreams: servers.createBilling() })
    const root = appOf(TokenwellModule.forRootAsync({ names: ['billing'], inject: [REQUEST], useFactory }))
    const app = await create(root, platforms[0]!.createAdapter())
    await expect(app.init()).rejects.toThrow(
      new TypeError('TokenwellModule: its factory must not inject what is of the request scope'),
    )
    await app.close()
  })
})

describe('an upstream that there is not', () => {
  const root = () => TokenwellModule.forRootAsync({ useFactory: () => ({ upstreams: servers.createBilling() }) })
  const lack = 'there is no upstream "archive"; there are: billing'
  @Injectable()
  class ByParameter {
    constructor(@InjectUpstream('archive') readonly archive: Upstream) {}
  }
  @Injectable()
  class ByProperty {
    @InjectUpstream('archive') readonly archive!: Upstream
  }
  @Injectable()
  class Inherited extends ByParameter {}
  @Injectable()
  class Guard extends ByParameter implements CanActivate {
    canActivate = () => true
  }
  @Controller()
  class Guarded {
    @Get()
    @UseGuards(Guard)
    get() {}
  }
  @Controller()
  class Asking extends ByParameter {}
  const factory = { provide: 'ByFactory', inject: [getUpstreamToken('archive')], useFactory: () => ({}) }

  test.each<[string, ModuleMetadata]>([
    ['ByParameter', { providers: [ByParameter] }],
    ['ByProperty', { providers: [ByProperty] }],
    ['Inherited', { providers: [Inherited] }],
    ['Guard', { controllers: [Guarded] }],
    ['Asking', { controllers: [Asking] }],
    ['ByFactory', { providers: [factory] }],
  ])('keeps the application from starting, by the name of who asks for it: %s', async (asking, metadata) => {
    @Module({ ...metadata, imports: [root()] })
    class App {}
    await expect(start(App)).rejects.toThrow(new TypeError(`TokenwellModule: ${asking}: ${lack}`))
  })

  test('does not keep a test from starting that puts something in its place', async () => {
    @Module({ imports: [root()], providers: [ByParameter] })
    class App {}
    const archive = { fetch: async () => new Response() }
    const builder = Test.createTestingModule({ imports: [App] })
    const module = await builder.overrideProvider(getUpstreamToken('archive')).useValue(archive).compile()
    await module.init()
    expect(module.get(ByParameter).archive).toBe(archive)
    await module.close()
  })

  // Nest initializes no module of a test by itself, and cannot be asked for what a class of another application needs.
  test('fails when it is used, where nobody has asked for it at the start', async () => {
    @Module({ imports: [root()], providers: [ByParameter] })
    class App {}
    const module = await Test.createTestingModule({ imports: [App] }).compile()
    const { archive } = module.get(ByParameter)
    for (const use of [
      () => archive.fetch('/'),
      () => archive.request('/'),
      () => archive.dispatcher,
      () => archive.tokens,
      () => archive.with({}),
      () => archive.health(),
      () => archive.close(),
    ]) {
      expect(use).toThrow(new TypeError(`TokenwellModule: ${lack}`))
    }
    await module.close()
  })

  test('is of no concern to an application whose classes do not ask for it', async () => {
    await using app = await start(appOf(root()))
    expect((await app.get(Invoices).get()).path).toBe('/v1/invoices/42')
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
