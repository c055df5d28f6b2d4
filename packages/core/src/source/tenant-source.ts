import { systemClock } from '../clock.ts'
import type { CallContext } from '../context/call-context.ts'
import { CallContextError } from '../errors.ts'
import type { AccessToken } from '../oauth/access-token.ts'
import { BoundedMap } from './bounded-map.ts'
import { closedError } from './coalescing.ts'
import { DpopNonces } from './dpop-nonces.ts'
import type { DpopProofs } from './dpop-proofs.ts'
import type { Health } from './health.ts'
import type { GetTokenOptions, TokenSource } from './token-source.ts'

/** What a tenant source stands on. */
export interface TenantSourceOptions {
  readonly upstream: string | undefined
  /** Makes the source of one tenant. What it throws is what the call fails with, and is not remembered. */
  make(tenant: string): TokenSource
  /** How many are kept; the one that was made first is closed first, unless it was used since: then it is spared once. */
  readonly maxTenants: number
}

interface OfTenant {
  readonly source: TokenSource
  /** Calls that wait for it. */
  waiting: number
  dropped: boolean
}

/** A token source for each tenant, made when it is first asked for. */
export class TenantSource implements TokenSource {
  readonly contextual = true
  readonly dpop: DpopProofs
  readonly #options: TenantSourceOptions
  readonly #byTenant: BoundedMap<OfTenant>
  /** Those that were dropped while somebody waited for them too. */
  readonly #open = new Set<OfTenant>()
  readonly #owners = new WeakMap<AccessToken, TokenSource>()
  #closed = false

  constructor(options: TenantSourceOptions) {
    this.#options = options
    this.#byTenant = new BoundedMap(options.maxTenants, (dropped) => {
      dropped.dropped = true
      this.#closeUnused(dropped)
    })
    this.dpop = this.#proofs()
  }

  peek(context?: CallContext): AccessToken | undefined {
    const tenant = context?.tenant
    const source = typeof tenant === 'string' ? this.#byTenant.get(tenant)?.source : undefined
    const token = source?.peek(context)
    return source === undefined || token === undefined ? undefined : this.#owned(source, token)
  }

  async get(options: GetTokenOptions = {}): Promise<AccessToken> {
    if (this.#closed) throw closedError(this.#options.upstream)
    options.signal?.throwIfAborted()
    const ofTenant = this.#of(this.#tenantOf(options.context))
    ofTenant.waiting += 1
    try {
      return this.#owned(ofTenant.source, await ofTenant.source.get(options))
    } finally {
      ofTenant.waiting -= 1
      this.#closeUnused(ofTenant)
    }
  }

  invalidate(token: AccessToken): boolean {
    return this.#owners.get(token)?.invalidate(token) ?? false
  }

  // That some tenants get no token says nothing of the others, even if it is all who have asked so far.
  health(): Health {
    if (this.#closed) return { status: 'down', error: closedError(this.#options.upstream) }
    for (const { source } of this.#open) {
      const error = source.health?.().error
      if (error !== undefined) return { status: 'degraded', error }
    }
    return { status: 'ok' }
  }

  async close(): Promise<void> {
    this.#closed = true
    const open = [...this.#open]
    this.#open.clear()
    this.#byTenant.clear()
    await Promise.all(open.map(({ source }) => source.close()))
  }

  #tenantOf(context: CallContext | undefined): string {
    const tenant: unknown = context?.tenant
    if (typeof tenant === 'string' && tenant !== '') return tenant
    if (tenant !== undefined && tenant !== null && tenant !== '') {
      throw new TypeError('context.tenant: expected a string')
    }
    throw new CallContextError('it is called for a tenant, and none is named', {
      upstream: this.#options.upstream,
      lacks: 'tenant',
      hasContext: context !== undefined,
    })
  }

  #of(tenant: string): OfTenant {
    const before = this.#byTenant.get(tenant)
    if (before !== undefined) return before
    const made = { source: this.#options.make(tenant), waiting: 0, dropped: false }
    this.#open.add(made)
    this.#byTenant.set(tenant, made)
    return made
  }

  // A call that waits for its token must not be told that the source was closed, only because others came after it.
  #closeUnused(ofTenant: OfTenant): void {
    if (!ofTenant.dropped || ofTenant.waiting > 0 || !this.#open.delete(ofTenant)) return
    // There is nobody to tell.
    ofTenant.source.close().catch(() => {})
  }

  #owned(source: TokenSource, token: AccessToken): AccessToken {
    if (!this.#owners.has(token)) this.#owners.set(token, source)
    return token
  }

  /** By the key of the source that gave the token; nonces are those of the API, whoever calls it. */
  #proofs(): DpopProofs {
    const nonces = new DpopNonces(systemClock)
    return Object.freeze<DpopProofs>({
      prove: async ({ nonce, ...request }) => {
        const proofs = this.#owners.get(request.token)?.dpop
        if (proofs === undefined)
          throw new TypeError('the token is bound to a key (DPoP), and its token source has none')
        return proofs.prove({ ...request, nonce: nonce ?? nonces.get(request.origin) })
      },
      note: (origin, header) => nonces.note(origin, header),
    })
  }
}
