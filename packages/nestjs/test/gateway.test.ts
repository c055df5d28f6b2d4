import 'reflect-metadata'

import { once } from 'node:events'

import { Injectable, Module, UseInterceptors, type CallHandler, type ExecutionContext } from '@nestjs/common'
import type { NestInterceptor } from '@nestjs/common'
import { WsAdapter } from '@nestjs/platform-ws'
import { SubscribeMessage, WebSocketGateway } from '@nestjs/websockets'
import { startServers, urlOf, type Servers } from '@tokenwell/adapter-suite'
import type { Upstreams } from '@tokenwell/core'
import { createScriptedServer } from '@tokenwell/testing'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'

import { InjectUpstreams, TokenwellModule } from '../src/index.ts'
import { installed } from './answers.ts'
import { create, Invoices, listen, nestMajor, platforms, type Seen } from './applications.ts'

let servers: Servers
beforeAll(async () => {
  servers = await startServers()
})
afterAll(() => servers[Symbol.asyncDispose]())

@Injectable()
class MessageContext implements NestInterceptor {
  constructor(@InjectUpstreams() private readonly upstreams: Upstreams<'billing'>) {}

  intercept(context: ExecutionContext, next: CallHandler) {
    const { id } = context.switchToWs().getData<{ id: string }>()
    return this.upstreams.run({ headers: { 'x-request-id': id } }, () => next.handle())
  }
}

@WebSocketGateway()
class Gateway {
  constructor(private readonly invoices: Invoices) {}

  @SubscribeMessage('bare')
  async bare() {
    return { event: 'bare', data: await this.invoices.get() }
  }

  @UseInterceptors(MessageContext)
  @SubscribeMessage('named')
  async named() {
    return { event: 'named', data: await this.invoices.get() }
  }
}

describe.each(platforms)(`a gateway, Nest ${nestMajor} on $platform`, ({ createAdapter }) => {
  async function connect(upstreams: Upstreams<'billing'>) {
    @Module({ imports: [TokenwellModule.forRoot({ upstreams })], providers: [Gateway, Invoices, installed] })
    class App {}
    const app = await create(App, createAdapter())
    const logged = vi.fn<(error: unknown) => void>()
    app.useLogger({ log() {}, warn() {}, error: logged })
    app.useWebSocketAdapter(new WsAdapter(app))
    const service = await listen(app)
    // As a browser does, with headers that are the connection's alone.
    const socket = new WebSocket(urlOf(service).replace('http', 'ws').replace('/orders/42', ''))
    await once(socket, 'open')
    const send = (event: string, data: object = {}) => socket.send(JSON.stringify({ event, data }))
    return {
      logged,
      send,
      async ask(event: string, data?: object) {
        const answer = once(socket, 'message')
        send(event, data)
        const [message] = (await answer) as [{ readonly data: string }]
        return JSON.parse(message.data) as { event: string; data: Seen }
      },
      async [Symbol.asyncDispose]() {
        socket.close()
        await service[Symbol.asyncDispose]()
      },
    }
  }

  test('calls with the token of this service, and has what context an interceptor gives it', async () => {
    await using gateway = await connect(servers.createBilling())
    const bare = await gateway.ask('bare')
    expect(bare.data).toMatchObject({ path: '/v1/invoices/42', clientId: 'orders-basic' })
    expect(bare.data.headers).not.toHaveProperty('x-request-id')
    for (const id of ['m-1', 'm-2']) {
      expect(await gateway.ask('named', { id })).toMatchObject({ data: { headers: { 'x-request-id': id } } })
    }
  })

  test('leaves it to Nest when there is no token, with the filter that is installed', async () => {
    await using tokenEndpoint = await createScriptedServer({ status: 401, body: { error: 'invalid_client' } })
    const oauth = { tokenEndpoint: tokenEndpoint.url }
    await using gateway = await connect(servers.createBilling({ oauth }))
    gateway.send('bare')
    // How, and whether, it tells the client depends on its version.
    await expect.poll(() => gateway.logged.mock.calls[0]?.[0]).toMatchObject({ upstream: 'billing', statusCode: 502 })
  })
})
