import type { IncomingMessage } from 'node:http'
import type { ModuleMetadata, Type } from '@nestjs/common'
import type { CallContext, RequestContextOptions, Upstreams } from '@tokenwell/core'

/** Options of `TokenwellModule.forRoot` and `forFeature`, and what the factories of the other two make. */
export interface TokenwellModuleOptions extends RequestContextOptions {
  /** What `createUpstreams` made. */
  readonly upstreams: Upstreams<never>
  /** Adds to the context of calls made for a request of node:http. */
  readonly context?: ((request: IncomingMessage) => CallContext) | undefined
  /**
   * Tokens before the first request. `'background'` (default): asked for at start-up, nobody waits. `'required'`: the
   * application does not start without them. `'off'`: the first call that needs a token asks for it.
   */
  readonly warmUp?: 'background' | 'required' | 'off' | undefined
  /** Closes the upstreams when the application shuts down. Default true. */
  readonly closeOnShutdown?: boolean | undefined
}

/** Throws a `TypeError` that names the option when one of the module's own is wrong; the others are checked by core. */
export function checkOptions(options: TokenwellModuleOptions): TokenwellModuleOptions {
  const { upstreams, context, warmUp = 'background' } = options
  if (typeof upstreams?.requestContext !== 'function') {
    throw new TypeError('upstreams: expected what createUpstreams made')
  }
  if (context !== undefined && typeof context !== 'function') {
    throw new TypeError('context: expected a function of the request')
  }
  if (!['background', 'required', 'off'].includes(warmUp)) {
    throw new TypeError("warmUp: expected 'background', 'required' or 'off'")
  }
  return options
}

/** Makes the options of the module; for `useClass` and `useExisting`. */
export interface TokenwellOptionsFactory {
  createTokenwellOptions(): TokenwellModuleOptions | Promise<TokenwellModuleOptions>
}

/** What injection tokens bring: an instance where a token is a class, something where it is not. */
type Injected<Tokens extends readonly unknown[]> = {
  [Index in keyof Tokens]: Tokens[Index] extends abstract new (...args: never[]) => infer Instance ? Instance : unknown
}

/** Options of `TokenwellModule.forRootAsync`; one of `useFactory`, `useClass` and `useExisting`. */
export interface TokenwellAsyncOptions<Tokens extends readonly unknown[] = readonly unknown[]> extends Pick<
  ModuleMetadata,
  'imports'
> {
  /** What `useFactory` is called with. */
  readonly inject?: readonly [...Tokens]
  // A method, so that a parameter may be annotated more narrowly than its token tells.
  useFactory?(this: void, ...injected: Injected<Tokens>): TokenwellModuleOptions | Promise<TokenwellModuleOptions>
  readonly useClass?: Type<TokenwellOptionsFactory>
  readonly useExisting?: Type<TokenwellOptionsFactory>
  /**
   * Names of the upstreams that there will be, all of which must then be made. Default: every name that a loaded class asks
   * for, of which those must be made that a class of the application asks for.
   */
  readonly names?: readonly string[]
}

/** Options of `TokenwellModule.forFeatureAsync`. */
export interface TokenwellFeatureAsyncOptions<
  Tokens extends readonly unknown[] = readonly unknown[],
> extends TokenwellAsyncOptions<Tokens> {
  readonly names: readonly string[]
}
