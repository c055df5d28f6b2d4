import type { ModulesContainer } from '@nestjs/core'
import { nameOf } from './inject-upstream.ts'
import { lackOf } from './upstream-by-name.ts'

/** Throws a `TypeError` that names the class when one of the application was given a stand-in for an upstream. */
export function checkAsked(modules: ModulesContainer): void {
  for (const { providers, controllers, injectables, middlewares } of modules.values()) {
    for (const all of [providers, controllers, injectables, middlewares]) {
      for (const asking of all.values()) {
        const properties = asking.getPropertiesMetadata() ?? []
        for (const given of [...(asking.getCtorMetadata() ?? []), ...properties.map(({ wrapper }) => wrapper)]) {
          const lack = nameOf(given.token) === undefined ? undefined : lackOf(given.instance)
          if (lack !== undefined) throw new TypeError(`TokenwellModule: ${String(asking.name)}: ${lack}`)
        }
      }
    }
  }
}
