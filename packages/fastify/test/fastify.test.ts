import { setImmediate } from 'node:timers/promises'

import { tokenExchange, TokenwellError, type Upstreams } from '@tokenwell/core'
import { createScriptedServer, tokenReply } from '@tokenwell/testing'
import fastify, { type FastifyInstance, type FastifyRequest } from 'fastify'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'

import { tokenwell } from '../src/index.ts'
import { adapterSuite, urlOf, type Service } from '@tokenwell/adapter-suite'
import { startServers, type Servers } from '@tokenwell/adapter-suite'

async function listen(app: FastifyInstance): Promise<Service> {
  await app.listen({ port: 0, host: '127.0.0.1' })
  return {
    server: app.server,
    [Symbol.asyncDispose]() {
      app.server.closeAllConnections()
      return app.close()
    },
  }
}

adapterSuite(
  'Fastify 5',
  async ({ upstreams, options, handler = async () => ({}), onError }) => {
    const app = fastify()
    app.addHook('onError', async (_request, _reply, error) => onError?.(error))
    await app.register(tokenwell, { upstreams, ...options })
    app.all('/orders/42', (request) => handler(request.upstreams.billing))
    return listen(app)
  },
  { sendsErrorHeaders: true },
)

describe('Fastify 5', () => {
  let servers: Servers
  beforeAll(async () => {
    servers = await startServers()
  })
  afterAll(() => servers[Symbol.asyncDispose]())

  const closed = { code: 'ERR_TOKENWELL_CLOSED' }
  const statusOf = async (app: FastifyInstance, path: string) => (await app.inject(path)).statusCode

  describe('request.upstreams', () => {
    // Regression J64: no object on the prototype that requests share.
    test('is the same object all through a request and another one in each request', async () => {
      await using upstreams = servers.createBilling()
      await using app = fastify()
      const seen: unknown[] = []
      await app.register(tokenwell, { upstreams })
      app.addHook('preHandler', async (request) => void seen.push(request.upstreams))
      app.get('/', (request, reply) => {
        seen.push(request.upstreams)
        return reply.send({})
      })
      await Promise.all([app.inject('/'), app.inject('/')])
      expect(seen).toHaveLength(4)
      expect(new Set(seen).size).toBe(2)
    })

    test('passes the trace on and ends nothing in a request that is injected', async () => {
      await using upstreams = servers.createBilling()
      await using app = fastify()
      await app.register(tokenwell, { upstreams })
      app.get('/', ({ upstreams: { billing } }) => billing.fetch('/invoices/42').then((response) => response.json()))
      const response = await app.inject({ path: '/', headers: { 'x-request-id': 'r-1' } })
      expect(response.json()).toMatchObject({ path: '/v1/invoices/42', headers: { 'x-request-id': 'r-1' } })
    })

    test('has the logger of its request as the log of its context, and another where `context` gives one', async () => {
      const lines: { reqId?: string; msg: string; own?: boolean }[] = []
      const stream = { write: (line: string) => void lines.push(JSON.parse(line)) }
      await using tokenEndpoint = await createScriptedServer(() => tokenReply())
      await using api = await createScriptedServer({ body: {} })
      const grant = tokenExchange({
        subjectToken({ subjectToken, log }) {
          log?.info({ subjectToken }, 'a token is asked for')
          return subjectToken
        },
      })
      const oauth = { tokenEndpoint: tokenEndpoint.url, scope: undefined, grant }
      await using upstreams = servers.createBilling({ baseUrl: api.url, oauth })
      await using app = fastify({ logger: { stream }, genReqId: ({ headers }) => String(headers['x-request-id']) })
      await app.register(tokenwell, {
        upstreams,
        context: ({ id, log }) => ({
          subjectToken: `for-${id}`,
          log: id === 'r-2' ? log.child({ own: true }) : undefined,
        }),
      })
      app.get('/', ({ upstreams: { billing } }) => billing.fetch('/invoices/42').then((response) => response.json()))
      await Promise.all(['r-1', 'r-2'].map((id) => app.inject({ path: '/', headers: { 'x-request-id': id } })))
      const asked = lines.filter(({ msg }) => msg === 'a token is asked for')
      expect(new Set(asked.map(({ reqId, own = false }) => `${reqId} ${own}`))).toEqual(
        new Set(['r-1 false', 'r-2 true']),
      )
      for (const line of asked) expect(line).toHaveProperty('subjectToken', `for-${line.reqId}`)
    })

    test('has the logger of its request without `context` too', async () => {
      await using upstreams = servers.createBilling()
      await using app = fastify({ logger: { stream: { write() {} } } })
      const contexts = vi.fn<Upstreams<'billing'>['with']>((...given) => upstreams.with(...given))
      await app.register(tokenwell, { upstreams: { ...upstreams, with: contexts } })
      const logs: unknown[] = []
      app.get('/', async (request) => {
        logs.push(request.log)
        return (await request.upstreams.billing.fetch('/invoices/42')).json()
      })
      expect(await statusOf(app, '/')).toBe(200)
      expect(contexts.mock.calls[0]?.[1]?.log).toBe(logs[0])
    })

    test('costs a request nothing that does not use it', async () => {
      await using upstreams = servers.createBilling()
      const [context, contextOf] = [vi.fn(() => ({})), vi.fn(upstreams.requestContext())]
      await using app = fastify()
      await app.register(tokenwell, { upstreams: { ...upstreams, requestContext: () => contextOf }, context })
      app.get('/unused', async () => ({}))
      app.get('/used', async (request) => ({ names: Object.keys(request.upstreams) }))
      expect(await statusOf(app, '/unused')).toBe(200)
      expect([context, contextOf].map(({ mock }) => mock.calls.length)).toEqual([0, 0])
      expect(await statusOf(app, '/used')).toBe(200)
      expect([context, contextOf].map(({ mock }) => mock.calls.length)).toEqual([1, 1])
    })

    test('is there in error handlers and for paths that are not found', async () => {
      await using upstreams = servers.createBilling()
      await using app = fastify()
      await app.register(tokenwell, { upstreams })
      const call = async ({ upstreams: { billing } }: FastifyRequest) => (await billing.fetch('/invoices/42')).json()
      app.setErrorHandler((_error, request) => call(request))
      app.setNotFoundHandler((request) => call(request))
      app.get('/', () => Promise.reject(new Error('on purpose')))
      for (const path of ['/', '/nowhere']) {
        expect((await app.inject(path)).json()).toHaveProperty('path', '/v1/invoices/42')
      }
    })

    test('says what is wrong before the hook that prepares it', async () => {
      await using upstreams = servers.createBilling()
      await using app = fastify()
      app.addHook('onRequest', async (request) => void request.upstreams)
      await app.register(tokenwell, { upstreams })
      app.get('/', async () => ({}))
      const response = await app.inject('/')
      expect(response.statusCode).toBe(500)
      expect(response.json()).toHaveProperty('message', expect.stringContaining('request.upstreams: used before'))
    })
  })

  test('app.upstreams is there for work outside a request', async () => {
    await using upstreams = servers.createBilling()
    await using app = fastify()
    await app.register(tokenwell, { upstreams })
    expect((await app.upstreams.billing.fetch('/invoices/42')).status).toBe(200)
  })

  // Regression J64: encapsulation, double registration.
  describe('registered more than once', () => {
    test('two contexts have upstreams of their own, and what is outside has none', async () => {
      await using ofOrders = await createScriptedServer({ status: 201 })
      await using ofReports = await createScriptedServer({ status: 202 })
      await using app = fastify()
      for (const [prefix, api] of [
        ['/orders', ofOrders],
        ['/reports', ofReports],
      ] as const) {
        await app.register(
          async (child) => {
            await child.register(tokenwell, { upstreams: servers.createBilling({ baseUrl: api.url }) })
            child.get('/', async (request, reply) => {
              reply.code((await request.upstreams.billing.fetch('/x')).status)
              return {}
            })
          },
          { prefix },
        )
      }
      app.get('/', (request, reply) => reply.send({ there: 'upstreams' in request || 'upstreams' in app }))
      expect(await statusOf(app, '/orders')).toBe(201)
      expect(await statusOf(app, '/reports')).toBe(202)
      expect((await app.inject('/')).json()).toEqual({ there: false })
    })

    test("a child's upstreams take the place of its parent's, in the child alone", async () => {
      await using ofParent = await createScriptedServer({ status: 201 })
      await using ofChild = await createScriptedServer({ status: 202 })
      await using app = fastify()
      await app.register(tokenwell, { upstreams: servers.createBilling({ baseUrl: ofParent.url }) })
      // A hook of the parent, which runs for the child's requests too.
      app.addHook('onRequest', async (request) => void request.upstreams.billing)
      app.get('/', async (request, reply) => {
        reply.code((await request.upstreams.billing.fetch('/x')).status)
        return {}
      })
      await app.register(
        async (child) => {
          await child.register(tokenwell, { upstreams: servers.createBilling({ baseUrl: ofChild.url }) })
          expect((await child.upstreams.billing.fetch('/x')).status).toBe(202)
          child.get('/', async (request, reply) => {
            reply.code((await request.upstreams.billing.fetch('/x')).status)
            return {}
          })
        },
        { prefix: '/child' },
      )
      expect((await app.upstreams.billing.fetch('/x')).status).toBe(201)
      expect(await statusOf(app, '/')).toBe(201)
      expect(await statusOf(app, '/child')).toBe(202)
    })

    test('the same context refuses a second time and says what is there already', async () => {
      await using upstreams = servers.createBilling()
      await using app = fastify()
      await app.register(tokenwell, { upstreams })
      await expect(app.register(tokenwell, { upstreams })).rejects.toMatchObject({
        code: 'FST_ERR_DEC_ALREADY_PRESENT',
        message: expect.stringContaining("'upstreams'") as string,
      })
    })
  })

  describe("with warmUp 'required'", () => {
    test('the application is ready when there is a token, not before', async () => {
      const [arrived, release] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
      await using tokenEndpoint = await createScriptedServer(async () => {
        arrived.resolve()
        await release.promise
        return tokenReply()
      })
      await using upstreams = servers.createBilling({ oauth: { tokenEndpoint: tokenEndpoint.url } })
      await using app = fastify()
      await app.register(tokenwell, { upstreams, warmUp: 'required' })
      const events: string[] = []
      const ready = Promise.resolve(app.ready()).then(() => events.push('ready'))
      await arrived.promise
      await setImmediate()
      events.push('released')
      release.resolve()
      await ready
      expect(events).toEqual(['released', 'ready'])
    })

    test('the application does not start where there is none', async () => {
      await using tokenEndpoint = await createScriptedServer({ status: 400, body: { error: 'invalid_scope' } })
      await using upstreams = servers.createBilling({ oauth: { tokenEndpoint: tokenEndpoint.url } })
      await using app = fastify()
      await app.register(tokenwell, { upstreams, warmUp: 'required' })
      await expect(app.listen({ port: 0, host: '127.0.0.1' })).rejects.toThrow(TokenwellError)
      expect(app.server.listening).toBe(false)
    })
  })

  // Regression J64: `onClose` closes what the upstreams opened.
  describe('when the application closes', () => {
    test('the upstreams close', async () => {
      const upstreams = servers.createBilling()
      const app = fastify()
      await app.register(tokenwell, { upstreams })
      await app.close()
      await expect(upstreams.billing.fetch('/invoices/42')).rejects.toMatchObject(closed)
    })

    test('the upstreams stay open with closeOnShutdown false', async () => {
      await using upstreams = servers.createBilling()
      const app = fastify()
      await app.register(tokenwell, { upstreams, closeOnShutdown: false })
      await app.close()
      expect((await upstreams.billing.fetch('/invoices/42')).status).toBe(200)
    })

    test('the calls of requests under way are made to their end', async () => {
      const [reached, release] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
      await using api = await createScriptedServer(async () => {
        reached.resolve()
        await release.promise
        return { body: { paid: true } }
      })
      const upstreams = servers.createBilling({ baseUrl: api.url })
      const app = fastify()
      await app.register(tokenwell, { upstreams })
      app.get('/orders/42', ({ upstreams: { billing } }) => billing.fetch('/').then((response) => response.json()))
      const service = await listen(app)
      const answer = fetch(urlOf(service))
      await reached.promise
      const appClosed = app.close()
      await setImmediate()
      release.resolve()
      expect(await (await answer).json()).toEqual({ paid: true })
      // The test's own connection is kept alive, and the end of the server waits for it.
      app.server.closeIdleConnections()
      await appClosed
      await expect(upstreams.billing.fetch('/invoices/42')).rejects.toMatchObject(closed)
    })
  })
})
