import 'reflect-metadata'

import { Controller, Get, Injectable, Module, NotFoundException, Res, type MiddlewareConsumer } from '@nestjs/common'
import type { INestApplication, NestMiddleware } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import type { ServerResponse } from 'node:http'
import { startServers, urlOf, type BillingOptions, type Servers } from '@tokenwell/adapter-suite'
import { clientSecretBasic, tokenExchange, UpstreamUnreachableError, type Upstream } from '@tokenwell/core'
import { createScriptedServer } from '@tokenwell/testing'
import { defer, mergeMap, of } from 'rxjs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { InjectUpstream, TokenwellModule } from '../src/index.ts'
import { answerTo as answerOn, installed, type Setup } from './answers.ts'
import { listen, nestMajor, platforms } from './applications.ts'

let servers: Servers
/** Where nobody listens. */
let nowhere: string
beforeAll(async () => {
  servers = await startServers()
  const closed = await createScriptedServer()
  nowhere = closed.url
  await closed.close()
})
afterAll(() => servers[Symbol.asyncDispose]())

/** Upstreams of which every detail has a name that must not be told. */
const zq = (options: BillingOptions['oauth']) => {
  const own = { clientId: 'zq-client', clientAuth: clientSecretBasic('zq-secret'), scope: 'zq-scope', ...options }
  return servers.createBilling({ oauth: own })
}

describe.each(platforms)(`Nest ${nestMajor} on $platform`, ({ createAdapter }) => {
  const answerTo = (setup: Setup) => answerOn(createAdapter, setup)

  test.each([
    { answer: { status: 401, body: { error: 'invalid_client', error_description: 'zq words' } }, statusCode: 502 },
    { answer: { status: 200, body: '<zq>' }, statusCode: 502 },
    { answer: { reset: true } as const, statusCode: 503 },
    { answer: { status: 500, body: 'zq' }, statusCode: 503 },
  ])('a token request that is answered $answer: $statusCode, and Nest logs why', async ({ answer, statusCode }) => {
    await using tokenEndpoint = await createScriptedServer(answer)
    await using upstreams = zq({ tokenEndpoint: `${tokenEndpoint.url}/zq` })
    const { status, body, logged } = await answerTo({ upstreams })
    expect(status).toBe(statusCode)
    expect(body).toEqual({ statusCode, message: expect.stringMatching(/^Upstream "billing": /) })
    const lines = logged.mock.calls.map(([line]) => line)
    expect(lines).toHaveLength(2)
    expect(lines.filter((line) => line instanceof Error)).toMatchObject([
      { upstream: 'billing', cause: expect.any(Error) },
    ])
    // And what an operator must act on.
    const forOperators = lines.filter((line) => !(line instanceof Error))
    expect(forOperators).toMatchObject([{ upstream: 'billing', message: expect.any(String) }])
    expect(JSON.stringify(forOperators)).not.toContain('zq')
  })

  test('the caller is told when to try again, where the authorization server said it', async () => {
    await using tokenEndpoint = await createScriptedServer({ status: 503, headers: { 'retry-after': '30' } })
    await using upstreams = zq({ tokenEndpoint: tokenEndpoint.url })
    const { status, retryAfter } = await answerTo({ upstreams })
    expect(status).toBe(503)
    expect(retryAfter).toMatch(/^\d+$/)
    expect(Number(retryAfter)).toSatisfy((seconds: number) => seconds >= 20 && seconds <= 30)
  })

  test.each<[string, (billing: Upstream) => Promise<unknown>]>([
    ['fetch', (billing) => billing.fetch('/invoices/42')],
    ['request', (billing) => billing.request('/invoices/42')],
  ])('an API that cannot be reached by %s: 503, and Nest logs why', async (_, call) => {
    await using upstreams = servers.createBilling({ baseUrl: nowhere, retry: false })
    const { status, body, logged } = await answerTo({ upstreams, call })
    expect({ status, body }).toEqual({
      status: 503,
      body: { statusCode: 503, message: 'Upstream "billing": the API could not be reached' },
    })
    expect(logged).toHaveBeenCalledOnce()
    const [error] = logged.mock.calls[0] as [UpstreamUnreachableError]
    expect(error).toBeInstanceOf(UpstreamUnreachableError)
    const reason = (error.cause as Error).message === 'fetch failed' ? (error.cause as Error).cause : error.cause
    expect(reason).toMatchObject({ code: 'ECONNREFUSED' })
  })

  test.each<[string, Partial<BillingOptions>, Setup['options']]>([
    ['in time', { timeoutMs: 200 }, {}],
    ['before its deadline', {}, { context: () => ({ deadline: Date.now() + 200 }) }],
  ])('an API that does not answer %s: 504', async (_, billing, options) => {
    await using api = await createScriptedServer({ hang: true })
    await using upstreams = servers.createBilling({ baseUrl: api.url, retry: false, ...billing })
    await upstreams.warmUp()
    const { status, body } = await answerTo({ upstreams, ...(options && { options }) })
    expect(status).toBe(504)
    expect(body).toEqual({ statusCode: 504, message: 'Upstream "billing": the API did not answer in time' })
  })

  test('a path that a caller made up: 400', async () => {
    await using upstreams = servers.createBilling()
    const { status, body } = await answerTo({ upstreams, call: (billing) => billing.fetch('/../../admin') })
    expect(status).toBe(400)
    expect(body).toMatchObject({ statusCode: 400, message: expect.not.stringContaining('admin') })
  })

  test('a caller without the token that its call is to be made with: 401, with a challenge', async () => {
    const grant = tokenExchange({ subjectToken: (context) => context.subjectToken })
    await using upstreams = servers.createBilling({ oauth: { grant, scope: undefined } })
    const { status, challenge } = await answerTo({ upstreams })
    expect({ status, challenge }).toEqual({ status: 401, challenge: 'Bearer' })
  })

  test.each<[string, Error, number, string]>([
    ['an HttpException', new NotFoundException('no such order'), 404, 'no such order'],
    ['any other error', new Error('zq'), 500, 'Internal server error'],
    ['an error of a wrong request', new TypeError('fetch failed'), 500, 'Internal server error'],
  ])('%s is left to Nest', async (_, error, statusCode, message) => {
    await using upstreams = servers.createBilling()
    const { status, body, retryAfter } = await answerTo({ upstreams, call: () => Promise.reject(error) })
    expect(status).toBe(statusCode)
    expect(body).toMatchObject({ statusCode, message })
    expect(retryAfter).toBeNull()
  })

  test("an error of an interceptor's or a handler's Observable is answered as well", async () => {
    await using tokenEndpoint = await createScriptedServer({ status: 503, headers: { 'retry-after': '30' } })
    await using upstreams = zq({ tokenEndpoint: tokenEndpoint.url })
    const inHandler: Setup = { upstreams, call: (billing) => defer(() => billing.fetch('/invoices/42')) }
    const inInterceptor: Setup = {
      upstreams,
      call: () => ({}),
      prepare(app) {
        const intercept = () => of(1).pipe(mergeMap(() => upstreams.billing.fetch('/invoices/42')))
        app.useGlobalInterceptors({ intercept })
      },
      options: { closeOnShutdown: false },
    }
    for (const setup of [inInterceptor, inHandler]) {
      const { status, body, retryAfter } = await answerTo(setup)
      expect(status).toBe(503)
      expect(body).toEqual({ statusCode: 503, message: expect.stringMatching(/^Upstream "billing": /) })
      expect(retryAfter).toMatch(/^\d+$/)
    }
  })

  test('an error after the answer began ends it, and nothing else', async () => {
    await using upstreams = zq({ tokenEndpoint: `${nowhere}/token` })
    await expect(upstreams.warmUp()).rejects.toMatchObject({ statusCode: 503 })
    @Controller('orders')
    class Orders {
      constructor(@InjectUpstream('billing') private readonly billing: Upstream) {}

      @Get(':id')
      async get(@Res() response: ServerResponse & { hijack?(): void; readonly raw?: ServerResponse }) {
        // What Fastify asks of those who write to the socket themselves.
        response.hijack?.()
        const { raw = response } = response
        raw.write('"begun"')
        await this.billing.fetch('/invoices/42')
      }
    }
    const { status, body, logged } = await answerTo({ upstreams, controller: Orders })
    expect({ status, body }).toEqual({ status: 200, body: 'begun' })
    expect(logged.mock.calls[0]?.[0]).toMatchObject({ upstream: 'billing' })
  })

  test('an error of a middleware is answered as well', async () => {
    await using upstreams = zq({ tokenEndpoint: `${nowhere}/token` })
    await expect(upstreams.warmUp()).rejects.toMatchObject({ statusCode: 503 })
    @Injectable()
    class Middleware implements NestMiddleware {
      constructor(@InjectUpstream('billing') private readonly billing: Upstream) {}

      async use(_request: unknown, _response: unknown, next: () => void) {
        await this.billing.fetch('/invoices/42')
        next()
      }
    }
    @Module({ imports: [TokenwellModule.forRoot({ upstreams })], providers: [installed] })
    class App {
      configure(consumer: MiddlewareConsumer) {
        consumer.apply(Middleware).forRoutes('{*path}')
      }
    }
    const app: INestApplication = await NestFactory.create(App, createAdapter(), { logger: false, abortOnError: false })
    await using service = await listen(app)
    const response = await fetch(urlOf(service))
    expect(response.status).toBe(503)
    expect(response.headers.get('retry-after')).toMatch(/^\d+$/)
    expect(await response.json()).toEqual({ statusCode: 503, message: expect.stringMatching(/^Upstream "billing": /) })
  })
})
