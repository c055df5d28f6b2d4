import type { Upstream, Upstreams } from '@tokenwell/core'

/** The names of the upstreams, without the members that they have in common. */
export function upstreamNames(upstreams: Upstreams<never>): readonly string[] {
  return Object.entries(upstreams)
    .filter(([, value]) => isUpstream(value))
    .map(([name]) => name)
}

/** Throws a `TypeError` when there is no upstream of one of these names. */
export function checkUpstreamNames(upstreams: Upstreams<never>, names: readonly string[]): void {
  const missing = names.find((name) => !upstreamNames(upstreams).includes(name))
  if (missing !== undefined) throw new TypeError(`names: there is no upstream ${lacking(upstreams, missing)}`)
}

const lack = Symbol('tokenwell.lack')

/**
 * The upstream of this name. Where there is none, a stand-in that throws a `TypeError` when it is used: several
 * applications in one process ask for different names, and one must not fail for the other's.
 */
export function upstreamNamed(upstreams: Upstreams<never>, name: string): Upstream {
  const found: unknown = (upstreams as unknown as Record<string, unknown>)[name]
  if (isUpstream(found)) return found
  const problem = `there is no upstream ${lacking(upstreams, name)}`
  const complain = () => {
    throw new TypeError(`TokenwellModule: ${problem}`)
  }
  // Nest asks every provider whether it is a promise and which lifecycle hooks it has: only what an upstream has is use.
  const other = Object.values(upstreams).find(isUpstream) ?? {}
  const isUse = (member: string | symbol) => member in other && !(member in Object.prototype)
  return new Proxy({ [lack]: problem } as unknown as Upstream, {
    get: (own, member) => (isUse(member) ? complain() : Reflect.get(own, member)),
  })
}

/** What is wrong with a stand-in of {@link upstreamNamed}; undefined for anything else. */
export function lackOf(injected: unknown): string | undefined {
  return (injected as { readonly [lack]?: string } | null | undefined)?.[lack]
}

function lacking(upstreams: Upstreams<never>, name: string): string {
  return `${JSON.stringify(name)}; there are: ${upstreamNames(upstreams).join(', ')}`
}

function isUpstream(value: unknown): value is Upstream {
  return typeof value === 'object' && value !== null && 'tokens' in value && 'fetch' in value
}
