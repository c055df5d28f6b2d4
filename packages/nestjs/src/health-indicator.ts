import type { HealthStatus, Upstreams, UpstreamsHealth } from '@tokenwell/core'

/** What @nestjs/terminus takes from an indicator. */
export type TokenwellHealth<Key extends string> = Record<
  Key,
  { readonly status: 'up' | 'down'; readonly upstreams: Readonly<Record<string, HealthStatus>> }
>

/**
 * Health of a module's upstreams, for `HealthCheckService` of @nestjs/terminus, which this package does not need.
 * Asks nobody: it tells what the last token requests met.
 */
export class TokenwellHealthIndicator {
  readonly #upstreams: Upstreams<never>

  constructor(upstreams: Upstreams<never>) {
    this.#upstreams = upstreams
  }

  /**
   * `down` when one of the upstreams is; `up` also while they are degraded, since requests are still served. The answer
   * has the status of each upstream, and not what failed, since health endpoints are often open to anybody.
   */
  check<const Key extends string = 'upstreams'>(key = 'upstreams' as Key): TokenwellHealth<Key> {
    const { status, upstreams } = this.#upstreams.health() as UpstreamsHealth
    const each = Object.entries(upstreams).map(([name, one]) => [name, one.status])
    const told = { status: status === 'down' ? 'down' : 'up', upstreams: Object.fromEntries(each) }
    return { [key]: told } as TokenwellHealth<Key>
  }
}
