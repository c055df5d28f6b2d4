import {
  Inject,
  Module,
  type DynamicModule,
  type NestModule,
  type OnApplicationShutdown,
  type OnModuleInit,
} from '@nestjs/common'
import { HttpAdapterHost, ModulesContainer } from '@nestjs/core'
import { checkAsked } from './check-asked.ts'
import { checkEager, hooksAreCalled } from './check-eager.ts'
import { checkNames } from './check-names.ts'
import { contextMiddleware, type ContextMiddleware } from './context-middleware.ts'
import { TokenwellHealthIndicator } from './health-indicator.ts'
import { tokenOf, namesAskedFor, UPSTREAMS } from './inject-upstream.ts'
import { checkOptions } from './options.ts'
import type { TokenwellAsyncOptions, TokenwellFeatureAsyncOptions, TokenwellModuleOptions } from './options.ts'
import { asyncOptionsProviders, OPTIONS, upstreamProviders, type OptionsProviders } from './providers.ts'
import { upstreamNames } from './upstream-by-name.ts'

/** NestJS module: upstreams to inject, and the context of the current request on every call they make. */
@Module({})
export class TokenwellModule implements NestModule, OnModuleInit, OnApplicationShutdown {
  readonly #options: TokenwellModuleOptions
  readonly #runInContext: ContextMiddleware
  readonly #modules: ModulesContainer
  readonly #http: HttpAdapterHost

  constructor(
    @Inject(OPTIONS) options: TokenwellModuleOptions,
    @Inject(ModulesContainer) modules: ModulesContainer,
    @Inject(HttpAdapterHost) http: HttpAdapterHost,
  ) {
    checkEager(modules)
    this.#options = options
    this.#runInContext = contextMiddleware(options)
    this.#modules = modules
    this.#http = http
  }

  /** For the whole application, with upstreams that are at hand. */
  static forRoot(options: TokenwellModuleOptions): DynamicModule {
    return moduleOf(options, { global: true })
  }

  /** For the whole application, with upstreams that need something injected, such as configuration. */
  static forRootAsync<const Tokens extends readonly unknown[]>(options: TokenwellAsyncOptions<Tokens>): DynamicModule {
    const { names, imports = [] } = options
    const providers = asyncOptionsProviders('forRootAsync', options)
    return dynamicModule(providers, names === undefined ? namesAskedFor : () => names, { global: true, imports })
  }

  /** For the importing module alone: upstreams of its own, which may have names that others have too. */
  static forFeature(options: TokenwellModuleOptions): DynamicModule {
    return moduleOf(options)
  }

  /** For the importing module alone, with upstreams that need something injected. */
  static forFeatureAsync<const Tokens extends readonly unknown[]>(
    options: TokenwellFeatureAsyncOptions<Tokens>,
  ): DynamicModule {
    const { names, imports = [] } = options
    // Every name that is asked for, as with forRootAsync, would hide those of the application from the importing module.
    if (names === undefined) throw new TypeError('forFeatureAsync: expected names')
    return dynamicModule(asyncOptionsProviders('forFeatureAsync', options), () => names, { imports })
  }

  // Nest calls this where there is HTTP, when bodies are parsed and before there are routes: its own middleware, guards and
  // interceptors are inside. Middleware of the consumer that Nest gives costs a request as much as a handler does.
  configure(): void {
    // Nest has then not called the constructor.
    if (!(#http in this))
      throw new TypeError('TokenwellModule: its factory must not inject what is of the request scope')
    this.#http.httpAdapter.use(this.#runInContext)
  }

  async onModuleInit(): Promise<void> {
    hooksAreCalled(this.#modules)
    checkNames(this.#modules, TokenwellModule)
    checkAsked(this.#modules)
    const { upstreams, warmUp = 'background' } = this.#options
    if (warmUp === 'off') return
    const warm = upstreams.warmUp()
    if (warmUp === 'required') await warm
    else warm.catch(() => {})
  }

  async onApplicationShutdown(): Promise<void> {
    if (this.#options.closeOnShutdown ?? true) await this.#options.upstreams.close()
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
  options: OptionsProviders,
  names: () => readonly string[],
  more: Pick<DynamicModule, 'global' | 'imports'> = {},
): DynamicModule {
  return {
    ...more,
    module: TokenwellModule,
    get providers() {
      return [...options, ...upstreamProviders(names())]
    },
    get exports() {
      return [UPSTREAMS, TokenwellHealthIndicator, ...names().map(tokenOf)]
    },
  }
}
