import type { DynamicModule, INestApplication } from '@nestjs/common'
import { HttpAdapterHost } from '@nestjs/core'
import type { HealthCheckService, HealthIndicatorFunction } from '@nestjs/terminus'
import type { RegisteredUpstreams, Upstream, Upstreams } from '@tokenwell/core'

import {
  getUpstreamToken,
  InjectUpstream,
  InjectUpstreams,
  TokenwellExceptionFilter,
  TokenwellModule,
  type TokenwellHealthIndicator,
} from '../src/index.ts'
import type { TokenwellAsyncOptions, TokenwellModuleOptions, TokenwellOptionsFactory } from '../src/index.ts'

declare const upstreams: Upstreams<'billing' | 'hr'>

// For this whole folder: the compiler reads it as one program.
declare module '@tokenwell/core' {
  interface Register {
    readonly upstreams: typeof upstreams
  }
}

class Settings {
  readonly options: TokenwellModuleOptions = { upstreams }
}
class Factory implements TokenwellOptionsFactory {
  createTokenwellOptions(): TokenwellModuleOptions {
    return { upstreams, warmUp: 'off' }
  }
}

export const modules: DynamicModule[] = [
  TokenwellModule.forRoot({ upstreams }),
  TokenwellModule.forFeature({
    upstreams,
    propagate: ['x-tenant'],
    abortOnDisconnect: 'never',
    closeOnShutdown: false,
  }),
  TokenwellModule.forRoot({ upstreams, context: (request) => ({ headers: { 'x-path': request.url ?? '' } }) }),
  TokenwellModule.forRootAsync({ inject: [Settings], useFactory: (settings: Settings) => settings.options }),
  // As the README has it: the parameter's type comes from its token.
  TokenwellModule.forRootAsync({ inject: [Settings], useFactory: (settings) => settings.options }),
  TokenwellModule.forRootAsync({ inject: ['SETTINGS'], useFactory: (settings: Settings) => settings.options }),
  TokenwellModule.forRootAsync({ useFactory: async () => ({ upstreams }) }),
  TokenwellModule.forRootAsync({ useClass: Factory }),
  TokenwellModule.forRootAsync({ imports: [Factory], useExisting: Factory }),
  TokenwellModule.forRootAsync({ names: ['billing', 'hr'], useFactory: () => ({ upstreams }) }),
  TokenwellModule.forFeatureAsync({ names: ['hr'], inject: [Settings], useFactory: (settings) => settings.options }),
  TokenwellModule.forFeatureAsync({ names: ['hr'], useClass: Factory }),
]
export const undefinedMeansDefault: TokenwellModuleOptions = {
  upstreams,
  propagate: undefined,
  abortOnDisconnect: undefined,
  warmUp: undefined,
  closeOnShutdown: undefined,
  context: undefined,
}

// @ts-expect-error -- upstreams are required
TokenwellModule.forRoot({})
// @ts-expect-error -- and made by createUpstreams
TokenwellModule.forRoot({ upstreams: { billing: upstreams.billing } })
// @ts-expect-error -- there is no such option
TokenwellModule.forRoot({ upstreams, abortOnDisconect: 'never' })
// @ts-expect-error -- there is no such way to warm up
TokenwellModule.forFeature({ upstreams, warmUp: 'later' })
// @ts-expect-error -- header values are strings
TokenwellModule.forRoot({ upstreams, context: () => ({ headers: { 'x-tenant': 42 } }) })
// @ts-expect-error -- a factory makes the options, not the upstreams
TokenwellModule.forRootAsync({ useFactory: () => upstreams })
// @ts-expect-error -- a feature says what its upstreams are named
TokenwellModule.forFeatureAsync({ useFactory: () => ({ upstreams }) })
// @ts-expect-error -- a class that makes nothing is no factory
export const withoutFactory: TokenwellAsyncOptions = { useClass: Settings }
// @ts-expect-error -- a name is needed
getUpstreamToken()

export class Orders {
  @InjectUpstreams() readonly upstreams!: RegisteredUpstreams
  constructor(@InjectUpstream('billing') readonly billing: Upstream) {}
  get(): Promise<Response> {
    // @ts-expect-error -- there is no such upstream
    void this.upstreams.payroll
    return this.upstreams.hr.fetch('/people')
  }
}

// What @nestjs/terminus of either major takes.
export async function readiness(health: HealthCheckService, indicator: TokenwellHealthIndicator) {
  const check: HealthIndicatorFunction = () => indicator.check()
  const { status, upstreams: each } = indicator.check('tokens').tokens
  const only: 'up' | 'down' = status
  // @ts-expect-error -- the key is the one that was asked for
  void indicator.check('tokens').upstreams
  // @ts-expect-error -- what failed is not told
  void each['billing']?.error
  return [only, await health.check([check, () => indicator.check('tokens')])]
}

export function install(app: INestApplication) {
  app.useGlobalFilters(new TokenwellExceptionFilter(app.get(HttpAdapterHost)))
  // @ts-expect-error -- which Nest's own filters let be, and then fail when there is something to answer
  app.useGlobalFilters(new TokenwellExceptionFilter())
}
