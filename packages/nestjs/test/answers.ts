import 'reflect-metadata'

import {
  Controller,
  Get,
  Module,
  type DynamicModule,
  type INestApplication,
  type Provider,
  type Type,
} from '@nestjs/common'
import { APP_FILTER, NestFactory, type AbstractHttpAdapter } from '@nestjs/core'
import { urlOf } from '@tokenwell/adapter-suite'
import type { Upstream, Upstreams } from '@tokenwell/core'
import { expect, vi } from 'vitest'

import { InjectUpstream, TokenwellExceptionFilter, TokenwellModule, type TokenwellModuleOptions } from '../src/index.ts'
import { listen } from './applications.ts'

/** Installs the filter as its README says. */
export const installed: Provider = { provide: APP_FILTER, useClass: TokenwellExceptionFilter }

export interface Setup {
  readonly upstreams: Upstreams<'billing'>
  readonly options?: Omit<TokenwellModuleOptions, 'upstreams'>
  /** What the handler of the request does. */
  readonly call?: (billing: Upstream) => unknown
  readonly providers?: readonly Provider[]
  readonly imports?: readonly (Type | DynamicModule)[]
  /** Instead of one whose handler does `call`. */
  readonly controller?: Type
  readonly prepare?: (app: INestApplication) => void
}

/** What a caller is answered, and what Nest logs. Fails if the answer tells what is internal. */
export async function answerTo(createAdapter: () => AbstractHttpAdapter, setup: Setup) {
  const { upstreams, options, call = (billing) => billing.fetch('/invoices/42') } = setup
  const { providers = [installed], imports = [], prepare } = setup
  @Controller('orders')
  class Orders {
    constructor(@InjectUpstream('billing') private readonly billing: Upstream) {}

    @Get(':id')
    get() {
      return call(this.billing)
    }
  }
  @Module({
    imports: [TokenwellModule.forRoot({ upstreams, warmUp: 'off', ...options }), ...imports],
    controllers: [setup.controller ?? Orders],
    providers: [...providers],
  })
  class App {}
  const logged = vi.fn<(error: unknown) => void>()
  const logger = { log() {}, warn() {}, error: logged }
  const app: INestApplication = await NestFactory.create(App, createAdapter(), { logger, abortOnError: false })
  prepare?.(app)
  await using service = await listen(app)
  const response = await fetch(urlOf(service))
  const { status, headers } = response
  const text = await response.text()
  expect(JSON.stringify([...headers]) + text).not.toMatch(/zq|127\.0\.0\.1|localhost|ECONN|UND_ERR|invalid_client/)
  const body: unknown = text === '' ? undefined : JSON.parse(text)
  return { status, body, retryAfter: headers.get('retry-after'), challenge: headers.get('www-authenticate'), logged }
}
