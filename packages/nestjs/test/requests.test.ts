import 'reflect-metadata'

import { setImmediate } from 'node:timers/promises'

import {
  Controller,
  Get,
  Injectable,
  Module,
  RequestMethod,
  Scope,
  UseGuards,
  UseInterceptors,
  VersioningType,
  type CallHandler,
  type CanActivate,
  type ExecutionContext,
  type MiddlewareConsumer,
  type NestInterceptor,
  type NestMiddleware,
} from '@nestjs/common'
import type { Upstream } from '@tokenwell/core'
import { createScriptedServer } from '@tokenwell/testing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { InjectUpstream, TokenwellModule, type TokenwellModuleOptions } from '../src/index.ts'
import { urlOf } from '@tokenwell/adapter-suite'
import { appOf, create, listen, nestMajor, platforms, type Seen } from './applications.ts'
import { startServers, type Servers } from '@tokenwell/adapter-suite'

let servers: Servers
beforeAll(async () => {
  servers = await startServers()
})
afterAll(() => servers[Symbol.asyncDispose]())

describe.each(platforms)(`Nest ${nestMajor} on $platform`, ({ createAdapter }) => {
  const ask = async (url: URL | string, requestId = 'r-1') => {
    const response = await fetch(url, { headers: { 'x-request-id': requestId } })
    return (await response.json()) as Seen
  }

  test.each([
    ['a global prefix', (path: string) => `/api${path}`],
    ['a route that is excluded from the prefix', (path: string) => path.replace('orders/42', 'health')],
    ['a versioned route', (path: string) => `/api/v2${path}`],
    ['a query', (path: string) => `/api${path}?full=1`],
  ])('a request has its context with %s', async (_, pathOf) => {
    @Controller()
    class Routes {
      constructor(@InjectUpstream('billing') private readonly billing: Upstream) {}

      @Get('orders/42')
      async get() {
        return (await this.billing.fetch('/invoices/42')).json()
      }

      @Get('health')
      health() {
        return this.get()
      }
    }
    @Controller({ path: 'orders', version: '2' })
    class Version2 {
      constructor(@InjectUpstream('billing') private readonly billing: Upstream) {}

      @Get(':id')
      async get() {
        return (await this.billing.fetch('/invoices/42')).json()
      }
    }
    const upstreams = servers.createBilling()
    @Module({ imports: [TokenwellModule.forRoot({ upstreams })], controllers: [Routes, Version2] })
    class App {}
    const app = await create(App, createAdapter())
    app.setGlobalPrefix('api', { exclude: [{ path: 'health', method: RequestMethod.GET }] })
    app.enableVersioning({ type: VersioningType.URI })
    await using service = await listen(app)
    const seen = await ask(new URL(pathOf('/orders/42'), urlOf(service)))
    expect(seen).toMatchObject({ path: '/v1/invoices/42', headers: { 'x-request-id': 'r-1' } })
  })

  test('guards, interceptors and pipes are inside the context too', async () => {
    @Injectable()
    class Guard implements CanActivate {
      constructor(@InjectUpstream('billing') private readonly billing: Upstream) {}

      async canActivate(_context: ExecutionContext) {
        return (await this.billing.fetch('/guard')).ok
      }
    }
    @Injectable()
    class Interceptor implements NestInterceptor {
      constructor(@InjectUpstream('billing') private readonly billing: Upstream) {}

      async intercept(_context: ExecutionContext, next: CallHandler) {
        await this.billing.fetch('/interceptor')
        return next.handle()
      }
    }
    @Controller('orders')
    class Orders {
      @Get(':id')
      @UseGuards(Guard)
      @UseInterceptors(Interceptor)
      get() {
        return {}
      }
    }
    const upstreams = servers.createBilling()
    @Module({ imports: [TokenwellModule.forRoot({ upstreams })], controllers: [Orders] })
    class App {}
    const before = servers.api.requests.length
    await using service = await listen(await create(App, createAdapter()))
    await ask(urlOf(service), 'r-2')
    expect(servers.api.requests.slice(before)).toMatchObject([
      { path: '/v1/guard', headers: { 'x-request-id': 'r-2' } },
      { path: '/v1/interceptor', headers: { 'x-request-id': 'r-2' } },
    ])
  })

  test("the application's own middleware is inside the context too", async () => {
    @Injectable()
    class Middleware implements NestMiddleware {
      constructor(@InjectUpstream('billing') private readonly billing: Upstream) {}

      async use(_request: unknown, _response: unknown, next: () => void) {
        await this.billing.fetch('/middleware')
        next()
      }
    }
    const upstreams = servers.createBilling()
    @Module({ imports: [TokenwellModule.forRoot({ upstreams })] })
    class App {
      configure(consumer: MiddlewareConsumer) {
        consumer.apply(Middleware).forRoutes('{*path}')
      }
    }
    const before = servers.api.requests.length
    await using service = await listen(await create(App, createAdapter()))
    await ask(urlOf(service), 'r-2')
    const seen = servers.api.requests.slice(before)
    expect(seen).toMatchObject([{ path: '/v1/middleware', headers: { 'x-request-id': 'r-2' } }])
  })

  test.each<[string, TokenwellModuleOptions['context'] & {}]>([
    ['throws', () => raise(new RangeError('zq'))],
    ['gives a header that is none', () => ({ headers: { 'x-tenant': 'zq\r\nauthorization: Bearer zq' } })],
  ])('a `context` that %s fails that request alone', async (_, context) => {
    const upstreams = servers.createBilling()
    const ofBad: TokenwellModuleOptions['context'] = (request) => (request.url === '/bad' ? context(request) : {})
    const app = await create(appOf(TokenwellModule.forRoot({ upstreams, context: ofBad })), createAdapter())
    await using service = await listen(app)
    const response = await fetch(new URL('/bad', urlOf(service)))
    expect(response.status).toBe(500)
    expect(await response.json()).toEqual({ statusCode: 500, message: 'Internal server error' })
    expect(await ask(urlOf(service))).toMatchObject({ path: '/v1/invoices/42' })
  })

  // Regression J65: a request-scoped client must not bring a cache of its own.
  test('providers of the request scope share the tokens and have the context', async () => {
    @Injectable({ scope: Scope.REQUEST })
    class PerRequest {
      constructor(@InjectUpstream('billing') readonly billing: Upstream) {}
    }
    @Controller('orders')
    class Orders {
      constructor(private readonly perRequest: PerRequest) {}

      @Get(':id')
      async get() {
        return (await this.perRequest.billing.fetch('/invoices/42')).json()
      }
    }
    const upstreams = servers.createBilling()
    @Module({ imports: [TokenwellModule.forRoot({ upstreams })], controllers: [Orders], providers: [PerRequest] })
    class App {}
    const before = servers.authorizationServer.tokenRequestCount
    await using service = await listen(await create(App, createAdapter()))
    const seen = await Promise.all(['r-1', 'r-2', 'r-3'].map((id) => ask(urlOf(service), id)))
    expect(seen.map(({ headers }) => headers['x-request-id'])).toEqual(['r-1', 'r-2', 'r-3'])
    expect(servers.authorizationServer.tokenRequestCount - before).toBe(1)
  })

  test('a module with upstreams of its own uses them, under a name that the root has too', async () => {
    await using ofRoot = await createScriptedServer({ body: { of: 'root' } })
    await using ofFeature = await createScriptedServer(({ headers }) => ({ body: { of: 'feature', headers } }))
    @Controller('reports')
    class Reports {
      constructor(@InjectUpstream('billing') private readonly billing: Upstream) {}

      @Get()
      async get() {
        return (await this.billing.fetch('/')).json()
      }
    }
    const upstreams = servers.createBilling({ baseUrl: ofFeature.url })
    @Module({ imports: [TokenwellModule.forFeature({ upstreams })], controllers: [Reports] })
    class ReportsModule {}
    const root = TokenwellModule.forRoot({ upstreams: servers.createBilling({ baseUrl: ofRoot.url }) })
    await using service = await listen(await create(appOf(root, ReportsModule), createAdapter()))
    expect(await ask(urlOf(service))).toEqual({ of: 'root' })
    expect(await ask(new URL('/reports', urlOf(service)), 'r-4')).toMatchObject({
      of: 'feature',
      headers: { 'x-request-id': 'r-4' },
    })
  })

  test('requests under way are answered before the upstreams close', async () => {
    const [reached, release] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    await using api = await createScriptedServer(async () => {
      reached.resolve()
      await release.promise
      return { body: { paid: true } }
    })
    const upstreams = servers.createBilling({ baseUrl: api.url })
    const app = await create(appOf(TokenwellModule.forRoot({ upstreams })), createAdapter())
    const service = await listen(app)
    const answer = ask(urlOf(service))
    await reached.promise
    const appClosed = app.close()
    await setImmediate()
    release.resolve()
    expect(await answer).toEqual({ paid: true })
    // The test's own connection is kept alive, and the end of the server waits for it.
    service.server.closeIdleConnections()
    await appClosed
    await expect(upstreams.billing.fetch('/invoices/42')).rejects.toMatchObject({ code: 'ERR_TOKENWELL_CLOSED' })
  })
})

function raise(error: Error): never {
  throw error
}
