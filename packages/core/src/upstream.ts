import { check } from './check-options.ts'
import { mergeContexts, type CallContext, type Log, type MergedContext } from './context/call-context.ts'
import { tokenSourceFor } from './create-token-source.ts'
import { UpstreamClosedError, UpstreamTimeoutError } from './errors.ts'
import { connectUpstream, type UpstreamConnection, type UpstreamRequest } from './http/connect-upstream.ts'
import type { Dispatcher } from './http/dispatcher.ts'
import type { Fetch } from './http/fetch.ts'
import { createTargetResolver } from './http/target.ts'
import {
  resolveOAuthOptions,
  resolveUpstreamOptions,
  type OAuthByTenant,
  type OAuthOptions,
  type UpstreamOptions,
} from './options.ts'
import type { Health } from './source/health.ts'
import { TenantSource } from './source/tenant-source.ts'
import type { TokenSource } from './source/token-source.ts'

/** A protected API reached over HTTP with this service's own access token. */
export interface Upstream {
  /**
   * WHATWG fetch; works unbound (`const { fetch } = upstream`). A path is taken as below the base URL; an absolute URL
   * must be of an allowed origin. Rejects with a `TokenwellError` when no token can be had, before anything is sent.
   */
  readonly fetch: Fetch
  /** undici's `request`: `{ statusCode, headers, body }`. The fastest way; works unbound. */
  readonly request: UpstreamRequest
  /** An undici dispatcher that attaches the token, for anything that takes one. */
  readonly dispatcher: Dispatcher
  /** Where its tokens come from. */
  readonly tokens: TokenSource
  /** The same upstream for one context: same tokens, same connections. What it sets wins over the context it is called in. */
  with(context: CallContext): Upstream
  /** Whether calls can get a token, as far as that is known without asking anybody. Synchronous, no I/O. */
  health(): Health
  /** Aborts what is under way and closes what this upstream opened. Later calls reject with an `UpstreamClosedError`. */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** Gives the context of the code that is running, where there is one. */
export type AmbientContext = () => MergedContext | undefined

/**
 * An upstream of its own. Opens no connection before the first call.
 * Throws a `TypeError` that names the option by its path when one is wrong.
 */
export function createUpstream(options: UpstreamOptions): Upstream {
  return upstreamFor(options, '', () => undefined)
}

/** The parts wired together; `path` leads to the options in error messages. */
export function upstreamFor(options: UpstreamOptions, path: string, ambient: AmbientContext): BindableUpstream {
  const resolved = resolveUpstreamOptions(options, path)
  const { name } = options
  const given = isTokenSource(options.oauth) ? options.oauth : undefined
  const oauthPath = path === '' ? 'oauth' : `${path}.oauth`
  const { log } = resolved
  const source = given ?? ownSource(options.oauth as OAuthOptions | OAuthByTenant, oauthPath, { upstream: name, log })
  const closedError = () => new UpstreamClosedError('it was closed', { upstream: name })
  let closing: Promise<void> | undefined
  const end = async () => {
    await Promise.all([connection.close(closedError()), given === undefined ? source.close() : undefined])
  }
  const close = () => (closing ??= end())
  const connection = connectUpstream({
    upstream: name,
    log,
    ambient,
    source,
    targets: createTargetResolver(resolved.baseUrl, resolved.origins, name),
    headers: resolved.headers,
    dispatcher: resolved.dispatcher,
    replay: resolved.replay,
    retry: resolved.retry,
    timeoutMs: resolved.timeoutMs,
    timeoutError: () => timeoutError(name, `no response headers after ${resolved.timeoutMs} ms (timeoutMs)`),
    deadlineError: () => timeoutError(name, 'the deadline of its context has passed'),
    closedError,
    close,
  })
  const health = (): Health => {
    if (closing !== undefined) return { status: 'down', error: closedError() }
    // What a source of the user's own does not tell is not known.
    return source.health?.() ?? { status: 'ok' }
  }
  return new ConnectedUpstream({ connection, source, health, close, ambient }, undefined)
}

function timeoutError(upstream: string | undefined, reason: string): UpstreamTimeoutError {
  return new UpstreamTimeoutError('the API did not answer in time', { upstream, cause: new Error(reason) })
}

interface Parts {
  readonly connection: UpstreamConnection
  readonly source: TokenSource
  readonly ambient: AmbientContext
  health(): Health
  close(): Promise<void>
}

/** Binds an upstream to a context that is complete: nothing of the code that is running is added. */
export const bind = Symbol('tokenwell.bind')

/** An {@link Upstream} as `upstreams.ts` needs it. */
export interface BindableUpstream extends Upstream {
  [bind](context: MergedContext): Upstream
}

class ConnectedUpstream implements BindableUpstream {
  readonly #parts: Parts
  readonly #context: MergedContext | undefined
  // Made on first use: most requests that could make an outbound call make none, and of one kind alone.
  #fetch: Fetch | undefined
  #request: UpstreamRequest | undefined
  #dispatcher: Dispatcher | undefined

  constructor(parts: Parts, context: MergedContext | undefined) {
    this.#parts = parts
    this.#context = context
  }

  get fetch(): Fetch {
    return (this.#fetch ??= this.#parts.connection.fetchIn(this.#context))
  }

  get request(): UpstreamRequest {
    return (this.#request ??= this.#parts.connection.requestIn(this.#context))
  }

  get dispatcher(): Dispatcher {
    return (this.#dispatcher ??= this.#parts.connection.dispatcherIn(this.#context))
  }

  get tokens(): TokenSource {
    return this.#parts.source
  }

  with(context: CallContext): Upstream {
    return new ConnectedUpstream(this.#parts, mergeContexts(this.#context ?? this.#parts.ambient(), context))
  }

  [bind](context: MergedContext): Upstream {
    return new ConnectedUpstream(this.#parts, context)
  }

  health(): Health {
    return this.#parts.health()
  }

  close(): Promise<void> {
    return this.#parts.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

const maxTenants = 1000

interface Told {
  readonly upstream: string | undefined
  readonly log: Log | undefined
}

function ownSource(oauth: OAuthOptions | OAuthByTenant, path: string, { upstream, log }: Told): TokenSource {
  if (typeof oauth !== 'function') return tokenSourceFor({ ...resolveOAuthOptions(oauth, path), log }, upstream)
  const make = (tenant: string) => {
    // Nothing else of the call that comes first: what is made here serves all calls for this tenant.
    const given: unknown = oauth(Object.freeze({ tenant }))
    check(!isPromise(given), path, 'expected OAuth options, not a promise; a secret may be a function that waits')
    return tokenSourceFor({ ...resolveOAuthOptions(given as OAuthOptions, path), tenant, log }, upstream)
  }
  return new TenantSource({ upstream, make, maxTenants })
}

function isPromise(value: unknown): boolean {
  return typeof (value as { then?: unknown } | null | undefined)?.then === 'function'
}

function isTokenSource(value: UpstreamOptions['oauth']): value is TokenSource {
  const { get, peek } = (value ?? {}) as Partial<TokenSource>
  return typeof get === 'function' && typeof peek === 'function'
}
