import type { DynamicModule } from '@nestjs/common'
import type { RegisteredUpstreams, Upstream, Upstreams } from '@tokenwell/core'

import { getUpstreamToken, InjectUpstream, InjectUpstreams, TokenwellModule } from '../src/index.ts'
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
