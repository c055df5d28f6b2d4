import type { Type } from '@nestjs/common'
import type { ModulesContainer } from '@nestjs/core'
import { nameOf } from './inject-upstream.ts'

/**
 * Throws a `TypeError` when a class could be given either of two upstreams by one name, where Nest takes that of the
 * module which was imported first. That a module's own upstream comes before the application's is meant.
 */
export function checkNames(modules: ModulesContainer, ours: Type): void {
  for (const importing of modules.values()) {
    const first = new Map<string, { readonly isGlobal: boolean; readonly upstream: unknown }>()
    for (const { metatype, isGlobal, providers } of importing.imports) {
      if (metatype !== ours) continue
      for (const [token, { instance: upstream }] of providers) {
        const name = nameOf(token)
        if (name === undefined) continue
        const before = first.get(name)
        if (before === undefined) first.set(name, { isGlobal, upstream })
        else if (before.upstream !== upstream && (before.isGlobal || !isGlobal)) throw twice(name, importing.name)
      }
    }
  }
}

function twice(name: string, module: string): TypeError {
  const what = `${module} imports two upstreams ${JSON.stringify(name)}`
  const hint = 'forRootAsync has every name that is asked for unless it is given `names`'
  return new TypeError(`TokenwellModule: ${what}; ${hint}`)
}
