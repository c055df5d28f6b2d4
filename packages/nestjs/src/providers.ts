import type { FactoryProvider, InjectionToken, Provider } from '@nestjs/common'
import type { Upstreams } from '@tokenwell/core'
import { TokenwellHealthIndicator } from './health-indicator.ts'
import { tokenOf, UPSTREAMS } from './inject-upstream.ts'
import { checkOptions } from './options.ts'
import type { TokenwellAsyncOptions, TokenwellModuleOptions, TokenwellOptionsFactory } from './options.ts'
import { checkUpstreamNames, upstreamNamed } from './upstream-by-name.ts'

/** Injection token of a module's own options. */
export const OPTIONS = Symbol('tokenwell.options')

/** What provides {@link OPTIONS}. */
export type OptionsProviders = readonly Provider[]

/** What a module provides besides its options. */
export function upstreamProviders(names: readonly string[]): Provider[] {
  return [
    provided(UPSTREAMS, (all) => all),
    provided(TokenwellHealthIndicator, (all) => new TokenwellHealthIndicator(all)),
    ...names.map((name) => provided(tokenOf(name), (all) => upstreamNamed(all, name))),
  ]
}

/** Throws a `TypeError` that begins with `path` when there is no way to make the options. */
export function asyncOptionsProviders(path: string, options: TokenwellAsyncOptions): OptionsProviders {
  const { inject = [], names, useFactory, useClass, useExisting } = options
  if (useFactory !== undefined) return [optionsProvider(inject, useFactory, names)]
  const factory = useExisting ?? useClass
  if (factory === undefined) throw new TypeError(`${path}: expected useFactory, useClass or useExisting`)
  const make = (maker: unknown) => (maker as TokenwellOptionsFactory).createTokenwellOptions()
  const made = optionsProvider([factory], make, names)
  return useClass === undefined ? [made] : [made, useClass]
}

function provided(provide: InjectionToken, pick: (all: Upstreams<never>) => unknown): FactoryProvider {
  return { provide, inject: [OPTIONS], useFactory: ({ upstreams }: TokenwellModuleOptions) => pick(upstreams) }
}

function optionsProvider(
  inject: readonly unknown[],
  make: (...injected: unknown[]) => TokenwellModuleOptions | Promise<TokenwellModuleOptions>,
  names: readonly string[] = [],
): FactoryProvider {
  const useFactory = async (...injected: unknown[]) => {
    const options = checkOptions(await make(...injected))
    checkUpstreamNames(options.upstreams, names)
    return options
  }
  return { provide: OPTIONS, inject: inject as NonNullable<FactoryProvider['inject']>, useFactory }
}
