import 'reflect-metadata'

import {
  Controller,
  Get,
  Module,
  type BeforeApplicationShutdown,
  type INestApplication,
  type OnApplicationShutdown,
} from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import nest from '@nestjs/core/package.json' with { type: 'json' }
import { createUpstreams, type Upstream } from '@tokenwell/core'
import { getUpstreamToken, TokenwellModule } from '@tokenwell/nestjs'

// A service as a process of its own: Node.js runs this file as it is, so decorators are called by hand. It calls the API at
// the URL it is given, and tells its parent what happens.
const [api] = process.argv.slice(2)
const oauth = { tokenEndpoint: `${api}/token`, clientId: 'orders', clientAuth: () => ({}) }
const made = createUpstreams({ billing: { baseUrl: `${api}/v1`, oauth } })
const upstreams = {
  ...made,
  async close() {
    await made.close()
    tell('closed')
  },
}

class Orders implements OnApplicationShutdown {
  readonly #billing: Upstream

  constructor(billing: Upstream) {
    this.#billing = billing
  }

  async get() {
    return (await this.#billing.fetch('/invoices/42')).json()
  }

  // The last chance of a service to say something, when its server has closed.
  async onApplicationShutdown() {
    const { status } = await this.#billing.fetch('/goodbye')
    tell(`said goodbye: ${status}`)
  }
}
const provider = { provide: Orders, inject: [getUpstreamToken('billing')], useFactory: (b: Upstream) => new Orders(b) }

class OrdersController {
  readonly #orders: Orders

  constructor(orders: Orders) {
    this.#orders = orders
  }

  get() {
    return this.#orders.get()
  }
}
Reflect.defineMetadata('design:paramtypes', [Orders], OrdersController)
Controller('orders/42')(OrdersController)
Get()(OrdersController.prototype, 'get', Object.getOwnPropertyDescriptor(OrdersController.prototype, 'get')!)

class App implements BeforeApplicationShutdown {
  beforeApplicationShutdown() {
    tell('closing')
  }
}
Module({ imports: [TokenwellModule.forRoot({ upstreams })], controllers: [OrdersController], providers: [provider] })(
  App,
)

const app: INestApplication = await NestFactory.create(App, { logger: ['error', 'warn', 'fatal'] })
app.enableShutdownHooks()
await app.listen(0, '127.0.0.1')
tell(`Nest ${nest.version} at ${await app.getUrl()}`)

function tell(message: string): void {
  process.send?.(message)
}
