import 'reflect-metadata'

import {
  Catch,
  Controller,
  Get,
  UseFilters,
  type ArgumentsHost,
  type INestApplication,
  type Type,
} from '@nestjs/common'
import { APP_FILTER, ExternalContextCreator, HttpAdapterHost } from '@nestjs/core'
import { Test } from '@nestjs/testing'
import { runReadme, startServers, urlOf, type Servers } from '@tokenwell/adapter-suite'
import { TokenwellError, type Upstream } from '@tokenwell/core'
import { createScriptedServer } from '@tokenwell/testing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { InjectUpstream, TokenwellExceptionFilter, TokenwellModule } from '../src/index.ts'
import { answerTo as answerOn, installed, type Setup } from './answers.ts'
import { appOf, create, Invoices, listen, nestMajor, platforms } from './applications.ts'

let servers: Servers
beforeAll(async () => {
  servers = await startServers()
})
afterAll(() => servers[Symbol.asyncDispose]())

// What the README tells its readers to write.
const replacements = { "'@tokenwell/nestjs'": "'../src/index.ts'" }
const { ErrorsModule } = (await runReadme(import.meta.url, 'errors', replacements, ['ErrorsModule'])) as {
  ErrorsModule: Type
}

/** Upstreams whose authorization server is overloaded, for a while that it names. */
async function overloaded() {
  const tokenEndpoint = await createScriptedServer({ status: 503, headers: { 'retry-after': '30' } })
  const upstreams = servers.createBilling({ oauth: { tokenEndpoint: tokenEndpoint.url } })
  return { upstreams, [Symbol.asyncDispose]: () => tokenEndpoint.close() }
}

describe.each(platforms)(`Nest ${nestMajor} on $platform: the filter is installed`, ({ createAdapter }) => {
  const answerTo = (setup: Setup) => answerOn(createAdapter, setup)

  @Controller('orders')
  class Filtered {
    constructor(@InjectUpstream('billing') private readonly billing: Upstream) {}

    @Get(':id')
    @UseFilters(TokenwellExceptionFilter)
    get() {
      return this.billing.fetch('/invoices/42')
    }
  }

  test.each<[string, Omit<Setup, 'upstreams'>]>([
    ['by APP_FILTER', { imports: [ErrorsModule] }],
    ['by @UseFilters', { controller: Filtered }],
    [
      'by useGlobalFilters',
      { prepare: (app) => app.useGlobalFilters(new TokenwellExceptionFilter(app.get(HttpAdapterHost))) },
    ],
  ])('%s', async (_, setup) => {
    await using service = await overloaded()
    const { status, retryAfter } = await answerTo({ providers: [], ...service, ...setup })
    expect(status).toBe(503)
    expect(retryAfter).toMatch(/^\d+$/)
  })

  test('by nobody but who wants it: Nest alone answers with the status, and does not say when to try again', async () => {
    await using service = await overloaded()
    const { status, body, retryAfter } = await answerTo({ providers: [], ...service })
    expect({ status, retryAfter }).toEqual({ status: 503, retryAfter: null })
    expect(body).toEqual({ statusCode: 503, message: expect.stringMatching(/^Upstream "billing": /) })
  })

  // The application's HTTP adapter is made after the filter.
  test('in a testing module', async () => {
    await using service = await overloaded()
    const root = appOf(TokenwellModule.forRoot({ ...service, warmUp: 'off' }), ErrorsModule)
    const module = await Test.createTestingModule({ imports: [root] }).compile()
    const app = module.createNestApplication(createAdapter(), { logger: false })
    await using listening = await listen(app)
    const response = await fetch(urlOf(listening))
    expect(response.status).toBe(503)
    expect(response.headers.get('retry-after')).toMatch(/^\d+$/)
  })

  test("beside the application's own filter for everything, which comes first where it is set on the application", async () => {
    @Catch()
    class Everything {
      catch(_error: unknown, host: ArgumentsHost) {
        const response = host.switchToHttp().getResponse<{ status(code: number): { send(body: object): void } }>()
        response.status(418).send({ by: 'the application' })
      }
    }
    const everything = { provide: APP_FILTER, useClass: Everything }
    const prepare = (app: INestApplication) => void app.useGlobalFilters(new Everything())
    for (const [setup, status] of [
      [{ prepare }, 418],
      // Of those that are provided, Nest asks the last one first.
      [{ providers: [everything, installed] }, 503],
      [{ providers: [installed, everything] }, 418],
    ] as const) {
      await using service = await overloaded()
      expect(await answerTo({ ...service, ...setup })).toMatchObject({ status })
    }
  })
})

// GraphQL resolvers and what other libraries run by Nest are made by this, and Nest hands on what they throw.
test.each([
  ['graphql', 'graphql'],
  ['another library', 'http'],
])('a handler of %s, which has no response, throws the error itself', async (_, type) => {
  await using service = await overloaded()
  const root = appOf(TokenwellModule.forRoot({ ...service, warmUp: 'off' }), ErrorsModule)
  const app = await create(root, platforms[0]!.createAdapter())
  await app.init()
  const invoices = app.get(Invoices)
  const handler = app
    .get(ExternalContextCreator)
    .create(invoices, () => invoices.get(), 'get', undefined, undefined, undefined, undefined, undefined, type)
  await expect(handler()).rejects.toThrow(TokenwellError)
  await expect(handler({}, {})).rejects.toMatchObject({ statusCode: 503, upstream: 'billing' })
  await app.close()
})
