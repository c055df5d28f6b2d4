import { once } from 'node:events'
import { request as httpRequest, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setImmediate } from 'node:timers/promises'

import { clientSecretBasic, TokenwellError, type CallContext, type RequestContextOptions } from '@tokenwell/core'
import type { Upstream, Upstreams } from '@tokenwell/core'
import { createManualClock, createScriptedServer, tokenReply } from '@tokenwell/testing'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'

import { startServers, type Servers } from './servers.ts'

export interface AdapterOptions extends RequestContextOptions {
  readonly context?: (request: Pick<IncomingMessage, 'headers'>) => CallContext
  readonly warmUp?: 'background' | 'required' | 'off'
}

/** A service to start: it reads JSON bodies and answers requests to /orders/42 with what `handler` resolves to, as JSON. */
export interface ServiceSetup {
  readonly upstreams: Upstreams<'billing'>
  readonly options?: AdapterOptions
  readonly handler?: (billing: Upstream) => Promise<unknown>
  /** Is told what arrives at the framework's error path. */
  readonly onError?: (error: unknown) => void
}

export interface Service extends AsyncDisposable {
  /** Listens on 127.0.0.1. */
  readonly server: Server
}

export type StartService = (setup: ServiceSetup) => Promise<Service>

interface Seen {
  readonly method: string
  readonly path: string
  readonly clientId: string
  readonly scope: string
  readonly tokenType: string
  readonly headers: Readonly<Record<string, string>>
}

export function urlOf({ server }: Service): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/orders/42`
}

const traceHeaders = {
  traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  tracestate: 'vendor=value',
  baggage: 'tenant=acme',
  'x-request-id': 'r-1',
}

const callInvoices = async (billing: Upstream): Promise<unknown> => (await billing.fetch('/invoices/42')).json()

/** The end of the next inbound request, whichever side ended it. */
async function nextInboundEnd({ server }: Service): Promise<void> {
  const [, response] = (await once(server, 'request')) as [IncomingMessage, ServerResponse]
  await once(response, 'close')
  await setImmediate()
}

/** Lets token requests arrive, and holds their answers until `release` is called or the scope is left. */
function holdTokens({ authorizationServer }: Servers) {
  const [arrived, released] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const remove = authorizationServer.onTokenRequest(() => {
    arrived.resolve()
    return released.promise
  })
  const release = () => {
    remove()
    released.resolve()
  }
  return { arrived: arrived.promise, release, [Symbol.dispose]: release }
}

/** `start` is called for each test. */
export function adapterSuite(name: string, start: StartService): void {
  describe(name, () => {
    let servers: Servers
    beforeAll(async () => {
      servers = await startServers()
    })
    afterAll(() => servers[Symbol.asyncDispose]())

    async function ask(service: Service, init: RequestInit = {}): Promise<Seen> {
      const response = await fetch(urlOf(service), init)
      expect(response.status).toBeLessThan(300)
      return (await response.json()) as Seen
    }

    describe('a call from a handler', () => {
      test.each<[string, (billing: Upstream) => Promise<unknown>]>([
        ['fetch', callInvoices],
        ['request', async (billing) => (await billing.request('/invoices/42')).body.json()],
        [
          'the dispatcher',
          async ({ dispatcher }) => {
            const { url } = servers.api
            return (await dispatcher.request({ origin: url, path: '/v1/invoices/42', method: 'GET' })).body.json()
          },
        ],
      ])("through %s reaches the API with this service's token", async (_, handler) => {
        await using upstreams = servers.createBilling()
        await using service = await start({ upstreams, handler })
        expect(await ask(service)).toMatchObject({
          method: 'GET',
          path: '/v1/invoices/42',
          clientId: servers.authorizationServer.clients.basic.clientId,
          scope: 'invoices:read',
          tokenType: 'Bearer',
        })
      })

      // Regressions S9 and J65: one cache for all requests.
      test('50 requests at once cause one token request', async () => {
        await using upstreams = servers.createBilling()
        const before = servers.authorizationServer.tokenRequestCount
        await using service = await start({ upstreams, handler: callInvoices })
        const seen = await Promise.all(Array.from({ length: 50 }, () => ask(service)))
        expect(new Set(seen.map(({ clientId }) => clientId)).size).toBe(1)
        expect(servers.authorizationServer.tokenRequestCount - before).toBe(1)
      })
    })

    describe('the inbound request', () => {
      test('passes on its trace headers and request id, and no credential of its own', async () => {
        await using upstreams = servers.createBilling()
        await using service = await start({ upstreams, handler: callInvoices })
        const inbound = { authorization: 'Bearer inbound', cookie: 'session=inbound', 'x-other': 'inbound' }
        const seen = await ask(service, { headers: { ...traceHeaders, ...inbound } })
        expect(seen.headers).toMatchObject(traceHeaders)
        expect(seen.headers).not.toHaveProperty('cookie')
        expect(JSON.stringify(seen)).not.toContain('inbound')
        expect(seen.clientId).toBe(servers.authorizationServer.clients.basic.clientId)
      })

      test('passes on the headers that `propagate` names, and only those', async () => {
        await using upstreams = servers.createBilling()
        await using service = await start({ upstreams, options: { propagate: ['X-Other'] }, handler: callInvoices })
        const { headers } = await ask(service, { headers: { ...traceHeaders, 'x-other': 'inbound' } })
        expect(headers).toHaveProperty('x-other', 'inbound')
        for (const header of Object.keys(traceHeaders)) expect(headers).not.toHaveProperty(header)
      })

      test('has the headers of `context` on top of its own', async () => {
        const context: AdapterOptions['context'] = ({ headers }) => ({
          headers: { 'x-tenant': String(headers['x-other']), 'x-request-id': 'r-2' },
        })
        await using upstreams = servers.createBilling()
        await using service = await start({ upstreams, options: { context }, handler: callInvoices })
        const { headers } = await ask(service, { headers: { ...traceHeaders, 'x-other': 'acme' } })
        expect(headers).toMatchObject({ ...traceHeaders, 'x-tenant': 'acme', 'x-request-id': 'r-2' })
      })

      test('leaves alone what the call itself sets', async () => {
        await using upstreams = servers.createBilling()
        const handler = async (billing: Upstream) =>
          (await billing.fetch('/invoices/42', { headers: { 'X-Request-Id': 'r-2' } })).json()
        await using service = await start({ upstreams, handler })
        const { headers } = await ask(service, { headers: traceHeaders })
        expect(headers).toMatchObject({ ...traceHeaders, 'x-request-id': 'r-2' })
      })

      test('is not mixed up with others at the same time', async () => {
        await using upstreams = servers.createBilling()
        const handler = async (billing: Upstream) => {
          await setImmediate()
          return callInvoices(billing)
        }
        await using service = await start({ upstreams, handler })
        const ids = Array.from({ length: 20 }, (_, index) => `r-${index}`)
        const seen = await Promise.all(ids.map((id) => ask(service, { headers: { 'x-request-id': id } })))
        expect(seen.map(({ headers }) => headers['x-request-id'])).toEqual(ids)
      })

      test('keeps its context when its body comes late', async () => {
        await using upstreams = servers.createBilling()
        await using service = await start({ upstreams, handler: callInvoices })
        const headers = { 'x-request-id': 'r-3', 'content-type': 'application/json', 'content-length': 2 }
        const inbound = httpRequest(urlOf(service), { method: 'POST', headers })
        inbound.flushHeaders()
        await once(service.server, 'request')
        await setImmediate()
        inbound.end('{}')
        const [response] = (await once(inbound, 'response')) as [IncomingMessage]
        const seen = JSON.parse(Buffer.concat(await response.toArray()).toString()) as Seen
        expect(seen.headers).toHaveProperty('x-request-id', 'r-3')
      })
    })

    describe('a caller that hangs up', () => {
      test.each([
        { abortOnDisconnect: undefined, method: 'GET', ends: true },
        { abortOnDisconnect: undefined, method: 'POST', ends: false },
        { abortOnDisconnect: 'safe-methods', method: 'GET', ends: true },
        { abortOnDisconnect: 'safe-methods', method: 'POST', ends: false },
        { abortOnDisconnect: 'always', method: 'GET', ends: true },
        { abortOnDisconnect: 'always', method: 'POST', ends: true },
        { abortOnDisconnect: 'never', method: 'GET', ends: false },
        { abortOnDisconnect: 'never', method: 'POST', ends: false },
      ] as const)('with abortOnDisconnect $abortOnDisconnect, $method: ends the call: $ends', async (row) => {
        const { abortOnDisconnect, method, ends } = row
        const [reached, release] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
        await using api = await createScriptedServer(async () => {
          reached.resolve()
          await release.promise
          return { body: {} }
        })
        await using upstreams = servers.createBilling({ baseUrl: api.url })
        const outcome = Promise.withResolvers<number>()
        const handler = async (billing: Upstream) => {
          outcome.resolve(billing.request('/invoices', { method }).then(({ statusCode }) => statusCode))
          return outcome.promise
        }
        await using service = await start({ upstreams, options: { abortOnDisconnect }, handler })

        const [caller, hungUp] = [new AbortController(), nextInboundEnd(service)]
        const answer = fetch(urlOf(service), { method, signal: caller.signal })
        await reached.promise
        caller.abort()
        await expect(answer).rejects.toThrow('abort')
        await hungUp
        release.resolve()
        if (ends) await expect(outcome.promise).rejects.toMatchObject({ name: 'AbortError' })
        else expect(await outcome.promise).toBe(200)
      })

      test('is told as such to who waits for fetch', async () => {
        const reached = Promise.withResolvers<void>()
        await using api = await createScriptedServer(() => {
          reached.resolve()
          return { hang: true }
        })
        await using upstreams = servers.createBilling({ baseUrl: api.url })
        const outcome = Promise.withResolvers<Response>()
        const handler = async (billing: Upstream) => {
          outcome.resolve(billing.fetch('/invoices'))
          return (await outcome.promise).json()
        }
        await using service = await start({ upstreams, handler })
        const caller = new AbortController()
        const answer = fetch(urlOf(service), { signal: caller.signal })
        await reached.promise
        caller.abort()
        await expect(answer).rejects.toThrow('abort')
        await expect(outcome.promise).rejects.toMatchObject({ name: 'AbortError' })
      })

      test('does not end the token request that others wait for', async () => {
        const { authorizationServer } = servers
        using tokens = holdTokens(servers)
        await using upstreams = servers.createBilling()
        const calls: Promise<unknown>[] = []
        const twoCalls = Promise.withResolvers<void>()
        const handler = (billing: Upstream) => {
          const call = billing.request('/invoices/42').then(({ body }) => body.json())
          if (calls.push(call) === 2) twoCalls.resolve()
          return call
        }
        const before = authorizationServer.tokenRequestCount
        await using service = await start({ upstreams, options: { warmUp: 'off' }, handler })

        const [caller, hungUp] = [new AbortController(), nextInboundEnd(service)]
        const answer = fetch(urlOf(service), { signal: caller.signal })
        await tokens.arrived
        const other = ask(service)
        await twoCalls.promise
        caller.abort()
        await expect(answer).rejects.toThrow('abort')
        await hungUp
        await expect(calls[0]).rejects.toMatchObject({ name: 'AbortError' })
        tokens.release()
        expect(await other).toHaveProperty('clientId')
        expect(authorizationServer.tokenRequestCount - before).toBe(1)
      })

      test('after its answer ends nothing', async () => {
        const release = Promise.withResolvers<void>()
        await using api = await createScriptedServer(async () => {
          await release.promise
          return { body: {} }
        })
        await using upstreams = servers.createBilling({ baseUrl: api.url })
        const outcome = Promise.withResolvers<Response>()
        const handler = async (billing: Upstream) => {
          outcome.resolve(billing.fetch('/invoices'))
          return {}
        }
        await using service = await start({ upstreams, handler })
        const ended = nextInboundEnd(service)
        await ask(service, { headers: { connection: 'close' } })
        await ended
        release.resolve()
        expect((await outcome.promise).status).toBe(200)
      })
    })

    describe('an option', () => {
      test.each<[string, unknown]>([
        ['propagate', ['authorization']],
        ['propagate', ['x-request-id', 'Cookie']],
        ['propagate', 'traceparent'],
        ['abortOnDisconnect', 'sometimes'],
        ['abortOnDisconnect', true],
        ['warmUp', 'later'],
        ['warmUp', true],
        ['context', 'acme'],
      ])('%s that is %j is refused by its name', async (option, value) => {
        await using upstreams = servers.createBilling()
        const service = start({ upstreams, options: { [option]: value } })
        await expect(service).rejects.toThrow(
          expect.objectContaining({ name: 'TypeError', message: expect.stringMatching(new RegExp(`^${option}: `)) }),
        )
      })

      test('that is undefined counts as not given', async () => {
        await using upstreams = servers.createBilling()
        const options = { propagate: undefined, abortOnDisconnect: undefined, context: undefined, warmUp: undefined }
        await using service = await start({ upstreams, options: options as object, handler: callInvoices })
        expect((await ask(service, { headers: traceHeaders })).headers).toMatchObject(traceHeaders)
      })

      test.each([undefined, {}])('upstreams that are %j are refused by their name', async (upstreams) => {
        const service = start({ upstreams: upstreams as unknown as Upstreams<'billing'> })
        await expect(service).rejects.toThrow(
          expect.objectContaining({ name: 'TypeError', message: expect.stringMatching(/^upstreams: /) }),
        )
      })
    })

    describe('warming up', () => {
      test('is one token request before the first request, and the start does not wait for it', async () => {
        const { authorizationServer } = servers
        using tokens = holdTokens(servers)
        await using upstreams = servers.createBilling()
        const before = authorizationServer.tokenRequestCount
        await using service = await start({ upstreams, handler: callInvoices })
        await tokens.arrived
        tokens.release()
        await ask(service)
        expect(authorizationServer.tokenRequestCount - before).toBe(1)
      })

      test('that fails in the background disturbs nobody', async () => {
        await using tokenEndpoint = await createScriptedServer({ status: 500 })
        await using upstreams = servers.createBilling({ oauth: { tokenEndpoint: tokenEndpoint.url } })
        const warmUp = vi.fn(() => upstreams.warmUp())
        const handler = () => Promise.resolve({})
        await using service = await start({ upstreams: { ...upstreams, warmUp }, handler })
        await expect(warmUp.mock.results[0]?.value).rejects.toThrow(TokenwellError)
        await ask(service)
        expect(warmUp).toHaveBeenCalledOnce()
      })

      test("that is 'off' is left to the first call", async () => {
        await using upstreams = servers.createBilling()
        const warmUp = vi.fn(() => upstreams.warmUp())
        const before = servers.authorizationServer.tokenRequestCount
        await using service = await start({
          upstreams: { ...upstreams, warmUp },
          options: { warmUp: 'off' },
          handler: callInvoices,
        })
        expect(warmUp).not.toHaveBeenCalled()
        await ask(service)
        expect(warmUp).not.toHaveBeenCalled()
        expect(servers.authorizationServer.tokenRequestCount - before).toBe(1)
      })
    })

    describe('without a token', () => {
      const refusal = { status: 401, body: { error: 'invalid_client', error_description: 'zq words' } }
      test.each([
        { when: 'the token endpoint cannot be reached', reply: { reset: true } as const, statusCode: 503 },
        { when: 'the authorization server refuses this client', reply: refusal, statusCode: 502 },
        { when: 'the authorization server answers nonsense', reply: { body: '<zq>' }, statusCode: 502 },
      ])('$when: the error path gets an error, and the caller $statusCode', async ({ reply, statusCode }) => {
        await using tokenEndpoint = await createScriptedServer(reply)
        const clientId = 'zq-client'
        const clientAuth = clientSecretBasic('zq-secret')
        const oauth = { issuer: `${tokenEndpoint.url}/zq`, tokenEndpoint: tokenEndpoint.url, clientId, clientAuth }
        await using upstreams = servers.createBilling({ oauth })
        const onError = vi.fn()
        await using service = await start({ upstreams, handler: callInvoices, onError })
        const response = await fetch(urlOf(service))
        expect(onError).toHaveBeenCalledOnce()
        expect(onError.mock.calls[0]?.[0]).toBeInstanceOf(TokenwellError)
        expect(onError.mock.calls[0]?.[0]).toMatchObject({ statusCode, upstream: 'billing' })
        expect(response.status).toBe(statusCode)
        const text = JSON.stringify([...response.headers]) + (await response.text())
        expect(text).not.toMatch(/zq|ECONN|invalid_client/)
        expect(text).not.toContain(new URL(tokenEndpoint.url).host)
      })

      test('requests fail until the authorization server has one again', async () => {
        const clock = createManualClock()
        await using tokenEndpoint = await createScriptedServer({ status: 401, body: { error: 'invalid_client' } })
        await using api = await createScriptedServer({ body: {} })
        const oauth = { tokenEndpoint: tokenEndpoint.url, clock }
        await using upstreams = servers.createBilling({ baseUrl: api.url, oauth })
        await using service = await start({ upstreams, handler: callInvoices })
        expect((await fetch(urlOf(service))).ok).toBe(false)
        tokenEndpoint.respondWith(() => tokenReply())
        // Past whatever keeps a refused client from asking again at once.
        await clock.advance(120_000)
        expect((await fetch(urlOf(service))).ok).toBe(true)
      })
    })
  })
}
