import type { IncomingMessage, ServerResponse } from 'node:http'
import {
  Inject,
  Module,
  type DynamicModule,
  type FactoryProvider,
  type MiddlewareConsumer,
  type NestModule,
  type OnApplicationShutdown,
  type OnModuleInit,
  type Provider,
} from '@nestjs/common'
import type { RequestContext, Upstreams } from '@tokenwell/core'
import { tokenOf, namesAskedFor, UPSTREAMS } from './inject-upstream.ts'
import { checkOptions } from './options.ts'
import type { TokenwellAsyncOptions, TokenwellModuleOptions, TokenwellOptionsFactory } from './options.ts'
import { upstreamNamed, upstreamNames } from './upstream-by-name.ts'

const OPTIONS = Symbol('tokenwell.options')

/** NestJS module: upstreams to inject, and the context of the current request on every call they make. */
@Module({})
export class TokenwellModule implements NestModule, OnModuleInit, OnApplicationShutdown {
  readonly #options: TokenwellModuleOptions
  readonly #contextOf: RequestContext

  constructor(@Inject(OPTIONS) options: TokenwellModuleOptions) {
    const { upstreams, propagate, abortOnDisconnect } = options
    this.#options = options
    this.#contextOf = upstreams.requestContext({ propagate, abortOnDisconnect })
  }

  /** For the whole application, with upstreams that are at hand. */
  static forRoot(options: TokenwellModuleOptions): DynamicModule {
    return moduleOf(options, { global: true })
  }

  /** For the whole application, with upstreams that need something injected, such as configuration. */
  static forRootAsync<const Tokens extends readonly unknown[]>(options: TokenwellAsyncOptions<Tokens>): DynamicModule {
    return dynamicModule(optionsProviders(options), namesAskedFor, { global: true, imports: options.imports ?? [] })
  }

  /** For the importing module alone: upstreams of its own, which may have names that others have too. */
  static forFeature(options: TokenwellModuleOptions): DynamicModule {
    return moduleOf(options)
  }

  configure(consumer: MiddlewareConsumer): void {
    consumer.apply(this.#runInContext).forRoutes('{*path}')
  }

  async onModuleInit(): Promise<void> {
    const { upstreams, warmUp = 'background' } = this.#options
    if (warmUp === 'off') return
    const warm = upstreams.warmUp()
    if (warmUp === 'required') await warm
    else warm.catch(() => {})
  }

  async onApplicationShutdown(): Promise<void> {
    if (this.#options.closeOnShutdown ?? true) await this.#options.upstreams.close()
  }

  // Middleware, since what comes after it, guards and interceptors too, then runs inside.
  readonly #runInContext = (request: IncomingMessage, response: ServerResponse, next: () => void): void => {
    const { upstreams, context } = this.#options
    upstreams.run(this.#contextOf(request, response), () =>
      context === undefined ? next() : upstreams.run(context(request), next),
    )
  }
}

function moduleOf(options: TokenwellModuleOptions, more: Pick<DynamicModule, 'global'> = {}): DynamicModule {
  const provider = { provide: OPTIONS, useValue: checkOptions(options) }
  return dynamicModule([provider], () => upstreamNames(options.upstreams), more)
}

/**
 * A module with a provider for each upstream. Its lists are read when Nest scans the module, which is after every class
 * that asks for an upstream was loaded.
 */
function dynamicModule(
  options: readonly Provider[],
  names: () => readonly string[],
  more: Pick<DynamicModule, 'global' | 'imports'> = {},
): DynamicModule {
  return {
    ...more,
    module: TokenwellModule,
    get providers(): Provider[] {
      const each = names().map((name) => provided(tokenOf(name), (all) => upstreamNamed(all, name)))
      return [...options, provided(UPSTREAMS, (all) => all), ...each]
    },
    get exports() {
      return [UPSTREAMS, ...names().map(tokenOf)]
    },
  }
}

function provided(provide: string | symbol, pick: (all: Upstreams<never>) => unknown): FactoryProvider {
  return { provide, inject: [OPTIONS], useFactory: ({ upstreams }: TokenwellModuleOptions) => pick(upstreams) }
}

function optionsProviders(options: TokenwellAsyncOptions): Provider[] {
  const { inject = [], useFactory, useClass, useExisting } = options
  if (useFactory !== undefined) return [optionsProvider(inject, useFactory)]
  const factory = useExisting ?? useClass
  if (factory === undefined) throw new TypeError('forRootAsync: expected useFactory, useClass or useExisting')
  const made = optionsProvider([factory], (maker) => (maker as TokenwellOptionsFactory).createTokenwellOptions())
  return useClass === undefined ? [made] : [made, useClass]
}

function optionsProvider(
  inject: readonly unknown[],
  make: (...injected: unknown[]) => TokenwellModuleOptions | Promise<TokenwellModuleOptions>,
): FactoryProvider {
  const useFactory = async (...injected: unknown[]) => checkOptions(await make(...injected))
  return { provide: OPTIONS, inject: inject as NonNullable<FactoryProvider['inject']>, useFactory }
}
