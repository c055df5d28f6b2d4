import { Inject } from '@nestjs/common'

/** Injection token of all upstreams together, as `createUpstreams` made them. */
export const UPSTREAMS = Symbol.for('tokenwell.upstreams')

/**
 * Names that some class asked for. Nest must know its providers before `forRootAsync` has made the upstreams, and this
 * is the only place where their names can be found by then. It only ever grows, by what is said when classes load.
 */
const requestedNames = new Set<string>()

/** The injection token of one upstream: for `overrideProvider` in tests, and for `inject` of factories. */
export function getUpstreamToken(name: string): string {
  // A factory that lists it asks for the upstream just as a decorator does.
  requestedNames.add(name)
  return tokenOf(name)
}

/** Injects one upstream by its name. In a request its calls have that request's context; outside they have none. */
export function InjectUpstream(name: string): PropertyDecorator & ParameterDecorator {
  return Inject(getUpstreamToken(name))
}

/** Injects all upstreams together. */
export function InjectUpstreams(): PropertyDecorator & ParameterDecorator {
  return Inject(UPSTREAMS)
}

/** Every name that a class which is loaded by now asks for. */
export function namesAskedFor(): readonly string[] {
  return [...requestedNames]
}

const prefix = 'tokenwell.upstream.'

/** The token alone, for modules that know the names of their upstreams. */
export function tokenOf(name: string): string {
  return prefix + name
}

/** The name that a token was made of; undefined for anybody else's token. */
export function nameOf(token: unknown): string | undefined {
  return typeof token === 'string' && token.startsWith(prefix) ? token.slice(prefix.length) : undefined
}
