import type { Upstream, Upstreams } from '@tokenwell/core'

/** The names of the upstreams, without the members that they have in common. */
export function upstreamNames(upstreams: Upstreams<never>): readonly string[] {
  return Object.entries(upstreams)
    .filter(([, value]) => isUpstream(value))
    .map(([name]) => name)
}

/**
 * The upstream of this name. Where there is none, a stand-in that throws a `TypeError` when it is used: several
 * applications in one process ask for different names, and one must not fail for the other's.
 */
export function upstreamNamed(upstreams: Upstreams<never>, name: string): Upstream {
  const found: unknown = (upstreams as unknown as Record<string, unknown>)[name]
  if (isUpstream(found)) return found
  const complain = () => {
    throw new TypeError(
      `There is no upstream ${JSON.stringify(name)}; there are: ${upstreamNames(upstreams).join(', ')}`,
    )
  }
  // Nest asks every provider whether it is a promise and which lifecycle hooks it has: only what an upstream has is use.
  const other = Object.values(upstreams).find(isUpstream) ?? {}
  const isUse = (member: string | symbol) => member in other && !(member in Object.prototype)
  return new Proxy({} as Upstream, { get: (_, member) => (isUse(member) ? complain() : undefined) })
}

function isUpstream(value: unknown): value is Upstream {
  return typeof value === 'object' && value !== null && 'tokens' in value && 'fetch' in value
}
