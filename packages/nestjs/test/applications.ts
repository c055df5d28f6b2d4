import 'reflect-metadata'

import {
  Controller,
  Get,
  Injectable,
  Module,
  type DynamicModule,
  type INestApplication,
  type Type,
} from '@nestjs/common'
import { NestFactory, type AbstractHttpAdapter } from '@nestjs/core'
import nest from '@nestjs/core/package.json' with { type: 'json' }
import { ExpressAdapter } from '@nestjs/platform-express'
import { FastifyAdapter } from '@nestjs/platform-fastify'
import type { Upstream } from '@tokenwell/core'

import { InjectUpstream } from '../src/index.ts'
import type { Service } from '@tokenwell/adapter-suite'

/** Of the Nest that these tests run on, such as 12. */
export const nestMajor = Number.parseInt(nest.version, 10)

/** What Nest runs on. */
export const platforms: readonly { platform: string; createAdapter: () => AbstractHttpAdapter }[] = [
  { platform: 'Express', createAdapter: () => new ExpressAdapter() },
  { platform: 'Fastify', createAdapter: () => new FastifyAdapter() },
]

/** An application that is not initialized yet and keeps its problems out of the log. */
export function create(root: Type, adapter: AbstractHttpAdapter): Promise<INestApplication> {
  return NestFactory.create(root, adapter, { logger: false, abortOnError: false })
}

/** An application without a server; it closes with the scope it is in. */
export async function start(root: Type) {
  const app = await NestFactory.createApplicationContext(root, { logger: false, abortOnError: false })
  return Object.assign(app, { [Symbol.asyncDispose]: () => app.close() })
}

export async function listen(app: INestApplication): Promise<Service> {
  await app.listen(0, '127.0.0.1')
  const server = app.getHttpServer() as Service['server']
  return {
    server,
    [Symbol.asyncDispose]() {
      server.closeAllConnections()
      return app.close()
    },
  }
}

/** What the API answers: the request as it saw it. */
export interface Seen {
  readonly path: string
  readonly clientId: string
  readonly headers: Readonly<Record<string, string>>
}

/** A service as users write them: a singleton, which knows nothing of requests. */
@Injectable()
export class Invoices {
  constructor(@InjectUpstream('billing') readonly billing: Upstream) {}

  async get(): Promise<Seen> {
    return (await (await this.billing.fetch('/invoices/42')).json()) as Seen
  }
}

@Controller('orders')
class OrdersController {
  constructor(private readonly invoices: Invoices) {}

  @Get(':id')
  get() {
    return this.invoices.get()
  }
}

/** A root module with `Invoices` and a controller that uses it. */
export function appOf(...imports: (DynamicModule | Type)[]): Type {
  @Module({ imports, controllers: [OrdersController], providers: [Invoices] })
  class App {}
  return App
}
