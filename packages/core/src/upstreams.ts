import { AsyncLocalStorage } from 'node:async_hooks'
import { mergeContexts, type CallContext, type MergedContext } from './context/call-context.ts'
import { requestContext, type RequestContext, type RequestContextOptions } from './context/request-context.ts'
import type { UpstreamOptions } from './options.ts'
import type { Health, HealthStatus } from './source/health.ts'
import { warmUp } from './source/warm-up.ts'
import { bind, upstreamFor, type BindableUpstream, type Upstream } from './upstream.ts'

/** Options that several upstreams share; what one sets itself wins. */
export type UpstreamDefaults = Partial<Omit<UpstreamOptions, 'baseUrl' | 'oauth' | 'name'>>

/** What a set of upstreams offers besides the upstreams themselves. */
export interface UpstreamsMembers<Names extends string> {
  /** The same upstreams for one context; `more`, if given, goes on top of it. */
  with(context: CallContext, more?: CallContext): BoundUpstreams<Names>
  /**
   * Runs `fn`; every call that is made inside it, however deep, has this context. A function is asked for it by the first call,
   * which rejects with what it throws.
   */
  run<Result>(context: CallContext | (() => CallContext), fn: () => Result): Result
  /** How to make the context of an inbound request of node:http, for `with` and `run`: what the adapters use, and servers
   * that have none. Throws a `TypeError` for a wrong option. */
  requestContext(options?: RequestContextOptions): RequestContext
  /**
   * Gets a token for each upstream, so that the first call need not wait. Rejects if one could not be had. Where the token depends
   * on the call's context, it is got for the context that this is called in (`run`), and left out without one.
   */
  warmUp(): Promise<void>
  /**
   * Whether calls can get a token, of each and of all together: the worst of them. Synchronous, and asks nobody, so that a
   * readiness probe may call it as often as it likes.
   */
  health(): UpstreamsHealth<Names>
  /** Closes them all. */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** What {@link UpstreamsMembers.health} tells. */
export interface UpstreamsHealth<Names extends string = string> {
  readonly status: HealthStatus
  readonly upstreams: { readonly [Name in Names]: Health }
}

/** Upstreams by name, for one context. */
export type BoundUpstreams<Names extends string = string> = { readonly [Name in Names]: Upstream }

/** Upstreams by name, and what they have in common. */
export type Upstreams<Names extends string = string> = BoundUpstreams<Names> & UpstreamsMembers<Names>

/**
 * Empty, for declaration merging: `declare module '@tokenwell/core' { interface Register { upstreams: typeof upstreams } }`
 * types `req.upstreams` in every adapter.
 */
export interface Register {}

/** The upstreams that the application registered by {@link Register}, else upstreams of any name. */
export type RegisteredUpstreams = Register extends { readonly upstreams: infer Registered } ? Registered : Upstreams

/** What a request has of them: the upstreams alone, bound to its context. */
export type RequestUpstreams = BoundOf<RegisteredUpstreams>

// Of each, where an application registers a union, because it has two sets.
type BoundOf<Registered> = Registered extends Upstreams<infer Names> ? BoundUpstreams<Names> : never

const memberNames = new Set([
  'with',
  'run',
  'requestContext',
  'warmUp',
  'health',
  'close',
  'then',
  'constructor',
  '__proto__',
])

/**
 * Several upstreams under one roof. Throws a `TypeError` that names the option by its path, such as
 * `billing.oauth.clientId`, when one is wrong, and for an upstream with the name of a member.
 */
export function createUpstreams<const Options extends Readonly<Record<string, UpstreamOptions>>>(
  options: Options,
  defaults: UpstreamDefaults = {},
): Upstreams<keyof Options & string> {
  type Names = keyof Options & string
  if (typeof options !== 'object' || options === null) throw new TypeError('options: expected upstreams by name')
  const storage = new AsyncLocalStorage<() => MergedContext>()
  const ambient = () => storage.getStore()?.()
  const byName = new Map<string, BindableUpstream>()
  for (const [name, own] of Object.entries(options)) {
    if (memberNames.has(name)) throw new TypeError(`${name}: an upstream may not have the name of a member`)
    byName.set(name, upstreamFor({ ...defaults, name, ...own }, name, ambient))
  }
  const bound = binder(byName)
  const all = () => [...byName.values()]
  const close = async () => {
    await Promise.all(all().map((upstream) => upstream.close()))
  }
  const members: UpstreamsMembers<Names> = {
    with(context, more) {
      const merged = mergeContexts(ambient(), context)
      return bound(more === undefined ? merged : mergeContexts(merged, more)) as BoundUpstreams<Names>
    },
    run(context, fn) {
      const around = storage.getStore()
      const merge = (own: CallContext) => mergeContexts(around?.(), own)
      if (typeof context !== 'function') {
        const merged = merge(context)
        return storage.run(() => merged, fn)
      }
      // Once it was asked, the function is let go: a connection that is opened inside keeps all of this for as long as it lives,
      // and would keep the whole request that the function knows.
      let source: MergedContext | (() => CallContext) = context
      return storage.run(() => {
        if (typeof source === 'function') source = merge(source())
        return source
      }, fn)
    },
    requestContext,
    warmUp: async () => {
      await Promise.all(all().map(({ tokens }) => warmUp(tokens, ambient())))
    },
    health: () => healthOf(byName),
    close,
    [Symbol.asyncDispose]: close,
  }
  return Object.freeze({ ...Object.fromEntries(byName), ...members }) as Upstreams<Names>
}

function healthOf(byName: ReadonlyMap<string, BindableUpstream>): UpstreamsHealth {
  const upstreams = Object.fromEntries(Array.from(byName, ([name, upstream]) => [name, upstream.health()]))
  const found = new Set(Object.values(upstreams).map(({ status }) => status))
  return { status: found.has('down') ? 'down' : found.has('degraded') ? 'degraded' : 'ok', upstreams }
}

/** Makes records of upstreams bound to a context: an upstream is bound when it is first asked for. */
function binder(byName: ReadonlyMap<string, BindableUpstream>): (context: MergedContext) => object {
  // Each request has a copy: an array that grows from nothing takes room for seventeen at once.
  const noneMade: readonly (Upstream | undefined)[] = Array.from(byName, () => undefined)
  class Bound {
    readonly #context: MergedContext
    readonly #made = noneMade.slice()

    constructor(context: MergedContext) {
      this.#context = context
    }

    static {
      for (const [index, [name, upstream]] of [...byName].entries()) {
        Object.defineProperty(this.prototype, name, {
          enumerable: true,
          get(this: Bound) {
            return (this.#made[index] ??= upstream[bind](this.#context))
          },
        })
      }
    }
  }
  return (context) => new Bound(context)
}
