export { getUpstreamToken, InjectUpstream, InjectUpstreams, UPSTREAMS } from './inject-upstream.ts'
export type { TokenwellAsyncOptions, TokenwellModuleOptions, TokenwellOptionsFactory } from './options.ts'
export { TokenwellModule } from './tokenwell.module.ts'
