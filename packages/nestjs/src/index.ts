export { TokenwellModule } from './tokenwell.module.ts'
export { getUpstreamToken, InjectUpstream, InjectUpstreams, UPSTREAMS } from './inject-upstream.ts'
export { TokenwellExceptionFilter } from './exception-filter.ts'
export { TokenwellHealthIndicator } from './health-indicator.ts'
export type { TokenwellHealth } from './health-indicator.ts'
export type {
  TokenwellAsyncOptions,
  TokenwellFeatureAsyncOptions,
  TokenwellModuleOptions,
  TokenwellOptionsFactory,
} from './options.ts'
