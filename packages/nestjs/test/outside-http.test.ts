import 'reflect-metadata'

import type { Server as NetServer, AddressInfo } from 'node:net'
import { setImmediate } from 'node:timers/promises'

import {
  Controller,
  Get,
  Inject,
  Injectable,
  Module,
  UseInterceptors,
  type NestInterceptor,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
  type Type,
} from '@nestjs/common'
import { APP_FILTER, NestFactory } from '@nestjs/core'
import { ClientProxyFactory, MessagePattern, Transport, type ClientProxy } from '@nestjs/microservices'
import { Cron, CronExpression, ScheduleModule, SchedulerRegistry } from '@nestjs/schedule'
import { runReadme, startServers, urlOf, type Servers } from '@tokenwell/adapter-suite'
import type { Upstreams } from '@tokenwell/core'
import { createScriptedServer } from '@tokenwell/testing'
import { firstValueFrom, mergeMap } from 'rxjs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { TokenwellExceptionFilter, TokenwellModule } from '../src/index.ts'
import { create, Invoices, listen, platforms, start, type Seen } from './applications.ts'

let servers: Servers
beforeAll(async () => {
  servers = await startServers()
})
afterAll(() => servers[Symbol.asyncDispose]())

/** What the README tells its readers to write. */
const readme = (block: string, exported: string) =>
  runReadme(import.meta.url, block, { "'@tokenwell/nestjs'": "'../src/index.ts'" }, [exported])
const { Reminders } = (await readme('job', 'Reminders')) as { Reminders: Type }
const { MessageContext } = (await readme('message', 'MessageContext')) as { MessageContext: Type<NestInterceptor> }

describe('a scheduled job', () => {
  @Injectable()
  class Counting {
    constructor(private readonly invoices: Invoices) {}

    @Cron(CronExpression.EVERY_YEAR, { name: 'counting', waitForCompletion: true })
    count() {
      return this.invoices.get()
    }
  }

  async function startJobs(upstreams: Upstreams<'billing'>) {
    @Module({
      imports: [ScheduleModule.forRoot(), TokenwellModule.forRoot({ upstreams })],
      providers: [Reminders, Counting, Invoices],
    })
    class App {}
    const app = await start(App)
    const jobs = app.get(SchedulerRegistry)
    return { app, run: async (name: string) => jobs.getCronJob(name).fireOnTick() }
  }

  test('calls with the token of this service, and no context by itself', async () => {
    const { app, run } = await startJobs(servers.createBilling())
    const before = servers.api.requests.length
    await run('counting')
    const [seen] = servers.api.requests.slice(before)
    expect(seen).toMatchObject({ path: '/v1/invoices/42', clientId: 'orders-basic', status: 200 })
    expect(seen!.headers).not.toHaveProperty('x-request-id')
    await app.close()
  })

  test('gives each run a context of its own', async () => {
    const { app, run } = await startJobs(servers.createBilling())
    const before = servers.api.requests.length
    await run('reminders')
    await run('reminders')
    const ids = servers.api.requests.slice(before).map(({ headers }) => headers['x-request-id'])
    expect(ids).toEqual([expect.stringMatching(/^[0-9a-f-]{36}$/), expect.stringMatching(/^[0-9a-f-]{36}$/)])
    expect(ids[0]).not.toBe(ids[1])
    await app.close()
  })

  test('that is under way when the application closes has its answer before the upstreams close', async () => {
    const [reached, release] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    await using api = await createScriptedServer(async () => {
      reached.resolve()
      await release.promise
      return { body: {} }
    })
    const events: string[] = []
    const upstreams = servers.createBilling({ baseUrl: api.url })
    const close = async () => {
      events.push('closed')
      await upstreams.close()
    }
    const { app, run } = await startJobs({ ...upstreams, close })
    const ran = run('reminders').then(() => events.push('ran'))
    await reached.promise
    const closed = app.close()
    await setImmediate()
    release.resolve()
    await Promise.all([closed, ran])
    expect(events).toEqual(['ran', 'closed'])
  })
})

describe('a microservice', () => {
  interface Message {
    readonly traceparent?: string
  }

  @Controller()
  class Messages {
    constructor(private readonly invoices: Invoices) {}

    @MessagePattern('bare')
    bare() {
      return this.invoices.get()
    }

    @UseInterceptors(MessageContext)
    @MessagePattern('traced')
    async traced() {
      await Promise.resolve()
      return this.invoices.get()
    }
  }

  /** Listens on TCP; `client` is not connected yet. */
  async function startMicroservice(upstreams: Upstreams<'billing'>) {
    @Module({
      imports: [TokenwellModule.forRoot({ upstreams })],
      controllers: [Messages],
      providers: [Invoices, { provide: APP_FILTER, useClass: TokenwellExceptionFilter }],
    })
    class App {}
    const options = { transport: Transport.TCP, options: { host: '127.0.0.1', port: 0 } } as const
    const app = await NestFactory.createMicroservice(App, { ...options, logger: false, abortOnError: false })
    await app.listen()
    const { port } = app.unwrap<NetServer>().address() as AddressInfo
    const createClient = (): ClientProxy =>
      ClientProxyFactory.create({ transport: Transport.TCP, options: { host: '127.0.0.1', port } })
    const client = createClient()
    return {
      createClient,
      send: (pattern: string, message: Message) => firstValueFrom(client.send<Seen>(pattern, message)),
      async [Symbol.asyncDispose]() {
        await client.close()
        await app.close()
      },
    }
  }

  const traceparent = (id: number) => `00-${String(id).padStart(32, '0')}-b7ad6b7169203331-01`

  test('calls with the token of this service, and no context by itself', async () => {
    await using upstreams = servers.createBilling()
    await using micro = await startMicroservice(upstreams)
    const seen = await micro.send('bare', { traceparent: traceparent(1) })
    expect(seen.clientId).toBe(servers.authorizationServer.clients.basic.clientId)
    expect(seen.headers).not.toHaveProperty('traceparent')
  })

  test('has the context of each message from an interceptor', async () => {
    await using upstreams = servers.createBilling()
    await using micro = await startMicroservice(upstreams)
    const traces = Array.from({ length: 10 }, (_, index) => traceparent(index + 1))
    const seen = await Promise.all(traces.map((trace) => micro.send('traced', { traceparent: trace })))
    expect(seen.map(({ headers }) => headers['traceparent'])).toEqual(traces)
    expect((await micro.send('traced', {})).headers).not.toHaveProperty('traceparent')
  })

  test('sends no header that a message would smuggle in', async () => {
    await using upstreams = servers.createBilling()
    await using micro = await startMicroservice(upstreams)
    const before = servers.api.requests.length
    const answer = micro.send('traced', { traceparent: 'x\r\nauthorization: Bearer mine' })
    await expect(answer).rejects.toEqual({ status: 'error', message: 'Internal server error' })
    expect(servers.api.requests).toHaveLength(before)
  })

  test('answers what Nest answers when there is no token', async () => {
    await using tokenEndpoint = await createScriptedServer({ status: 401, body: { error: 'invalid_client' } })
    await using upstreams = servers.createBilling({ oauth: { tokenEndpoint: tokenEndpoint.url } })
    await using micro = await startMicroservice(upstreams)
    await expect(micro.send('bare', {})).rejects.toEqual({ status: 'error', message: 'Internal server error' })
  })

  // A socket keeps the context it was opened in, and so do operators on what comes out of it.
  test("that was connected to at start-up answers in nobody's context, and an awaited answer in its own", async () => {
    await using micro = await startMicroservice(servers.createBilling())
    @Controller('orders')
    class Orders implements OnApplicationBootstrap, OnModuleDestroy {
      constructor(
        private readonly invoices: Invoices,
        @Inject('messages') private readonly messages: ClientProxy,
      ) {}

      async onApplicationBootstrap() {
        await this.messages.connect()
      }

      async onModuleDestroy() {
        await this.messages.close()
      }

      @Get('42')
      async awaited() {
        await firstValueFrom(this.messages.send('bare', {}))
        return this.invoices.get()
      }

      @Get('operator')
      inOperator() {
        return this.messages.send('bare', {}).pipe(mergeMap(() => this.invoices.get()))
      }
    }
    const upstreams = servers.createBilling()
    @Module({
      imports: [TokenwellModule.forRoot({ upstreams })],
      controllers: [Orders],
      providers: [Invoices, { provide: 'messages', useFactory: micro.createClient }],
    })
    class App {}
    await using service = await listen(await create(App as Type, platforms[0]!.createAdapter()))
    const ask = async (path: string, id: string) => {
      const response = await fetch(new URL(path, urlOf(service)), { headers: { 'x-request-id': id } })
      return ((await response.json()) as Seen).headers['x-request-id']
    }
    expect([await ask('42', 'r-1'), await ask('operator', 'r-2')]).toEqual(['r-1', undefined])
    expect([await ask('42', 'r-3'), await ask('operator', 'r-4')]).toEqual(['r-3', undefined])
  })
})
