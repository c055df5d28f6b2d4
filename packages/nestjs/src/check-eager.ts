import type { ModulesContainer } from '@nestjs/core'

const initialized = new WeakSet<ModulesContainer>()

/** Says that an application calls the hooks of its modules now, which it does once. */
export function hooksAreCalled(modules: ModulesContainer): void {
  initialized.add(modules)
}

/**
 * Throws a `TypeError` when an application makes a module after that. What is loaded lazily has no hooks and no middleware,
 * so that its upstreams would have no context and no end, and Nest asks the application's upstreams before them.
 */
export function checkEager(modules: ModulesContainer): void {
  if (!initialized.has(modules)) return
  throw new TypeError('TokenwellModule: a module that is loaded lazily cannot bring upstreams, only inject them')
}
