import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { setImmediate } from 'node:timers/promises'

import { createManualClock, createScriptedServer, tokenReply, type Reply } from '@tokenwell/testing'
import express, { type Express, type NextFunction, type Request, type RequestHandler, type Response } from 'express'
import express4 from 'express-4'
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'

import { tokenwell } from '../src/index.ts'
import { adapterSuite, urlOf, type Service } from '@tokenwell/adapter-suite'
import { startServers, type BillingOptions, type Servers } from '@tokenwell/adapter-suite'

const versions = [
  { version: 'Express 4', create: express4, isFour: true },
  { version: 'Express 5', create: express, isFour: false },
]

async function listen(app: Express): Promise<Service> {
  const server: Server = app.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    server,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** What an application does about its async handlers: Express 4 must be told, Express 5 takes a rejection. */
function asHandler(isFour: boolean, handler: (req: Request, res: Response) => Promise<unknown>): RequestHandler {
  return isFour ? (req, res, next) => void handler(req, res).catch(next) : handler
}

for (const { version, create, isFour } of versions) {
  // Regression J66: async errors in both versions.
  adapterSuite(
    version,
    async ({ upstreams, options, handler = async () => ({}), onError }) => {
      const app = create()
      app.use(create.json(), tokenwell(upstreams, options))
      const answer = async (req: Request, res: Response) => res.json(await handler(req.upstreams.billing))
      app.use('/orders/42', asHandler(isFour, answer))
      app.use((error: unknown, _req: Request, _res: Response, next: NextFunction) => {
        onError?.(error)
        next(error)
      })
      return listen(app)
    },
    { sendsErrorHeaders: true },
  )
}

describe.each(versions)('$version', ({ create }) => {
  let servers: Servers
  beforeAll(async () => {
    servers = await startServers()
  })
  afterAll(() => servers[Symbol.asyncDispose]())

  const asked = async (service: Service) => (await fetch(urlOf(service))).status

  /** Ends the request and remembers what it had. */
  function remember(into: unknown[]): RequestHandler {
    return (req, res) => {
      into.push(req.upstreams, req.upstreams)
      res.json({})
    }
  }

  describe('req.upstreams', () => {
    test('is the same object all through a request and another one in each request', async () => {
      await using upstreams = servers.createBilling()
      const seen: unknown[] = []
      const app = create()
      app.use(tokenwell(upstreams), remember(seen))
      await using service = await listen(app)
      expect([await asked(service), await asked(service)]).toEqual([200, 200])
      expect(seen).toHaveLength(4)
      expect(seen[0]).toBe(seen[1])
      expect(seen[2]).toBe(seen[3])
      expect(seen[0]).not.toBe(seen[2])
    })

    // Regression J66.
    test('stays the same where the middleware is used twice and in a sub-application', async () => {
      await using upstreams = servers.createBilling()
      const seen: unknown[] = []
      const [app, sub, middleware] = [create(), create(), tokenwell(upstreams)]
      sub.use(middleware, remember(seen))
      app.use(middleware)
      app.use((req, _res, next) => {
        seen.push(req.upstreams)
        next()
      })
      app.use(middleware)
      app.use('/orders', sub)
      await using service = await listen(app)
      expect(await asked(service)).toBe(200)
      expect(seen).toHaveLength(3)
      expect(new Set(seen).size).toBe(1)
    })

    test('is there in a sub-application that did not ask for it', async () => {
      await using upstreams = servers.createBilling()
      const [app, sub] = [create(), create()]
      sub.use((req, res, next) => {
        req.upstreams.billing.fetch('/invoices/42').then(({ status }) => res.sendStatus(status), next)
      })
      app.use(tokenwell(upstreams))
      app.use('/orders', sub)
      await using service = await listen(app)
      expect(await asked(service)).toBe(200)
    })

    // Regression J66.
    test('of a sub-application with upstreams of its own leads to those, whatever its parent used before', async () => {
      await using ofSub = await createScriptedServer({ status: 201 })
      await using ofApp = await createScriptedServer({ status: 202 })
      await using subUpstreams = servers.createBilling({ baseUrl: ofSub.url })
      await using upstreams = servers.createBilling({ baseUrl: ofApp.url })
      const answer: RequestHandler = (req, res, next) => {
        req.upstreams.billing.fetch('/invoices/42').then(({ status }) => res.sendStatus(status), next)
      }
      const [app, sub] = [create(), create()]
      sub.use(tokenwell(subUpstreams), answer)
      app.use(tokenwell(upstreams), (req, _res, next) => {
        expect(req.upstreams.billing).toHaveProperty('fetch')
        next()
      })
      app.use('/orders', sub)
      app.use(answer)
      await using service = await listen(app)
      expect(await asked(service)).toBe(201)
      expect((await fetch(new URL('/', urlOf(service)))).status).toBe(202)
    })

    // Regression J66: the credentials of a sub-application are its own.
    test.each<[string, (next: NextFunction) => void]>([
      ['hands the request on', (next) => next()],
      ['fails', (next) => next(new Error('on purpose'))],
    ])('is what it was before once a sub-application with upstreams of its own %s', async (_, leave) => {
      await using ofSub = await createScriptedServer({ status: 201 })
      await using ofApp = await createScriptedServer({ status: 202 })
      await using subUpstreams = servers.createBilling({ baseUrl: ofSub.url })
      await using upstreams = servers.createBilling({ baseUrl: ofApp.url })
      const [app, sub, last] = [create(), create(), create()]
      sub.use(tokenwell(subUpstreams), (req, _res, next) => {
        req.upstreams.billing.fetch('/invoices/42').then(() => leave(next), next)
      })
      const answer = (req: Request, res: Response, next: NextFunction) => {
        req.upstreams.billing.fetch('/invoices/42').then(({ status }) => res.sendStatus(status), next)
      }
      last.use(answer)
      app.use(tokenwell(upstreams), sub, last)
      app.use((_error: unknown, req: Request, res: Response, next: NextFunction) => answer(req, res, next))
      await using service = await listen(app)
      expect(await asked(service)).toBe(202)
      expect(ofSub.requests).toHaveLength(1)
    })

    // Regression J66.
    test('is there in a sub-application of several applications that asks for it itself', async () => {
      await using upstreams = servers.createBilling()
      const [one, other, sub] = [create(), create(), create()]
      sub.use(tokenwell(upstreams), (req, res, next) => {
        req.upstreams.billing.fetch('/invoices/42').then(({ status }) => res.sendStatus(status), next)
      })
      for (const app of [one, other]) app.use('/orders', sub)
      for (const app of [one, other]) {
        await using service = await listen(app)
        expect(await asked(service)).toBe(200)
      }
    })

    test('leads to one set below one path, and to another set below another', async () => {
      await using ofOrders = await createScriptedServer({ status: 201 })
      await using ofReports = await createScriptedServer({ status: 202 })
      await using orders = servers.createBilling({ baseUrl: ofOrders.url })
      await using reports = servers.createBilling({ baseUrl: ofReports.url })
      const app = create()
      app.use('/orders', tokenwell(orders))
      app.use('/reports', tokenwell(reports))
      app.use((req, res, next) => {
        if ((req.upstreams as object | undefined) === undefined) res.sendStatus(404)
        else req.upstreams.billing.fetch('/invoices/42').then(({ status }) => res.sendStatus(status), next)
      })
      await using service = await listen(app)
      const statuses = ['/orders', '/reports', '/'].map(
        async (path) => (await fetch(new URL(path, urlOf(service)))).status,
      )
      expect(await Promise.all(statuses)).toEqual([201, 202, 404])
    })

    test('costs a request nothing that does not use it', async () => {
      await using upstreams = servers.createBilling()
      const [context, contextOf] = [vi.fn(() => ({})), vi.fn(upstreams.requestContext())]
      const app = create()
      const spied = { ...upstreams, requestContext: () => contextOf }
      app.use(tokenwell(spied, { context }), (req, res) => {
        if (req.query['use'] !== undefined) void req.upstreams
        res.json({ listeners: res.listenerCount('close') })
      })
      await using service = await listen(app)
      const unused = (await (await fetch(urlOf(service))).json()) as { listeners: number }
      expect([context, contextOf].map(({ mock }) => mock.calls.length)).toEqual([0, 0])
      const used = (await (await fetch(`${urlOf(service)}?use`)).json()) as { listeners: number }
      expect([context, contextOf].map(({ mock }) => mock.calls.length)).toEqual([1, 1])
      expect(used.listeners - unused.listeners).toBe(1)
    })

    // Regression J66: what `context` throws is an error like any other.
    test('fails the request with what `context` throws', async () => {
      await using upstreams = servers.createBilling()
      const app = create()
      const context = () => {
        throw Object.assign(new Error('whose tenant is that?'), { status: 418 })
      }
      app.use(tokenwell(upstreams, { context }), (req, res) => res.json(req.upstreams))
      await using service = await listen(app)
      expect(await asked(service)).toBe(418)
    })

    test('says what is wrong on a request that Express did not make', async () => {
      await using upstreams = servers.createBilling()
      const middleware = tokenwell(upstreams)
      const server = createServer((req, res) => {
        middleware(req as Request, res as Response, () => {
          expect(() => (req as Request).upstreams).toThrow('req.upstreams: this request was not made by Express')
          res.end()
        })
      })
      await once(server.listen(0, '127.0.0.1'), 'listening')
      expect(await asked({ server, [Symbol.asyncDispose]: async () => {} })).toBe(200)
      await new Promise((resolve) => server.close(resolve))
    })
  })

  describe("with warmUp 'required'", () => {
    test('a request waits for the token that was asked for at once', async () => {
      const [arrived, release] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
      await using tokenEndpoint = await createScriptedServer(async () => {
        arrived.resolve()
        await release.promise
        return tokenReply()
      })
      await using upstreams = servers.createBilling({ oauth: { tokenEndpoint: tokenEndpoint.url } })
      const events: string[] = []
      const app = create()
      app.use(tokenwell(upstreams, { warmUp: 'required' }), (_req, res) => {
        events.push('handled')
        res.json({})
      })
      await using service = await listen(app)
      await arrived.promise
      const [inbound, status] = [once(service.server, 'request'), asked(service)]
      await inbound
      await setImmediate()
      events.push('released')
      release.resolve()
      expect(await status).toBe(200)
      expect(events).toEqual(['released', 'handled'])
      expect(tokenEndpoint.requests).toHaveLength(1)
    })

    test('requests fail until there was a token, and then never again for the lack of one', async () => {
      const clock = createManualClock()
      const refusal = { status: 400, body: { error: 'invalid_scope' } }
      await using tokenEndpoint = await createScriptedServer(refusal)
      await using upstreams = servers.createBilling({ oauth: { tokenEndpoint: tokenEndpoint.url, clock } })
      const app = create()
      app.use(tokenwell(upstreams, { warmUp: 'required' }), (_req, res) => void res.json({}))
      app.use((error: Error, _req: Request, res: Response, _next: NextFunction) => {
        res.status(503).json({ name: error.name })
      })
      await using service = await listen(app)
      expect(await (await fetch(urlOf(service))).json()).toEqual({ name: 'TokenRequestError' })
      tokenEndpoint.respondWith(() => tokenReply({ expiresIn: 60 }))
      // Past whatever keeps a refused client from asking again at once.
      await clock.advance(120_000)
      expect(await asked(service)).toBe(200)
      tokenEndpoint.respondWith(refusal)
      await clock.advance(120_000)
      expect(await asked(service)).toBe(200)
    })
  })

  describe.each(['production', 'development'])('the default answer in %s', (environment) => {
    test.each<[string, number, (url: string) => BillingOptions, Reply]>([
      [
        'the authorization server refuses this client',
        502,
        (url) => ({ oauth: { issuer: `${url}/zq`, tokenEndpoint: url, clientId: 'zq-client' } }),
        { status: 400, body: { error: 'zq_error', error_description: 'zq words' } },
      ],
      [
        'the token endpoint cannot be reached',
        503,
        (url) => ({ oauth: { tokenEndpoint: `${url}/zq` } }),
        { reset: true },
      ],
      ['the API cannot be reached', 503, (url) => ({ baseUrl: `${url}/zq`, retry: false }), { reset: true }],
      ['the API does not answer in time', 504, (url) => ({ baseUrl: `${url}/zq`, timeoutMs: 200 }), { hang: true }],
    ])('tells nothing internal, nor does the log, when %s', async (_, status, billing, reply) => {
      vi.stubEnv('NODE_ENV', environment)
      onTestFinished(() => void vi.unstubAllEnvs())
      await using server = await createScriptedServer(reply)
      await using upstreams = servers.createBilling(billing(server.url))
      const app = create()
      expect(app.get('env')).toBe(environment)
      app.use(tokenwell(upstreams, { warmUp: 'off' }), (req, _res, next) => {
        req.upstreams.billing.fetch('/invoices/42').then(() => next(), next)
      })
      const logged = vi.spyOn(console, 'error').mockReturnValue()
      await using service = await listen(app)
      const response = await fetch(urlOf(service))
      expect(response.status).toBe(status)
      const text = JSON.stringify([...response.headers]) + (await response.text())
      // Express logs the error's stack a little later.
      await vi.waitFor(() => expect(logged).toHaveBeenCalled())
      for (const told of [text, String(logged.mock.calls)]) {
        expect(told).not.toMatch(/zq|ECONN/)
        expect(told).not.toContain(new URL(server.url).host)
      }
      // Express shows the stack outside of production.
      expect(/<br>[ &nbsp;]*at /.test(text)).toBe(environment === 'development')
      logged.mockRestore()
    })
  })

  test('upstreams stay open when the server closes, and close with it where the application says so', async () => {
    await using upstreams = servers.createBilling()
    const app = create()
    app.use(tokenwell(upstreams))
    await (await listen(app))[Symbol.asyncDispose]()
    expect((await upstreams.billing.fetch('/invoices/42')).status).toBe(200)

    const service = await listen(app)
    service.server.on('close', () => void upstreams.close())
    await service[Symbol.asyncDispose]()
    await expect(upstreams.billing.fetch('/invoices/42')).rejects.toMatchObject({ code: 'ERR_TOKENWELL_CLOSED' })
  })
})
