import { Agent, type Dispatcher } from 'undici'
import type { CallContext } from '../context/call-context.ts'
import { OriginNotAllowedError } from '../errors.ts'
import type { TokenSource } from '../source/token-source.ts'
import { authorizeWith, type CallSource } from './authorize.ts'
import { boundOrigins, mayPass } from './bound-origins.ts'
import { CallHandler } from './call-handler.ts'
import { CallsUnderWay } from './calls-under-way.ts'
import { signalFor } from './context-signal.ts'
import { createFetch, type Fetch } from './fetch.ts'
import { assertHandler, fail } from './forwarding-handler.ts'
import { strippedOnRedirect, withDefaults, withReusableHeaders } from './headers.ts'
import { InContextHandler } from './in-context-handler.ts'
import { PipelineDispatcher } from './pipeline-dispatcher.ts'
import { RefusalGuard } from './refusal-guard.ts'
import type { ReplayPolicy } from './replayable-body.ts'
import type { RetryPolicy } from './retry-policy.ts'
import { isAmong, type TargetResolver } from './target.ts'

type RequestBody = Dispatcher.DispatchOptions['body'] | AsyncIterable<Uint8Array> | Blob

/** undici's options for one call; where it goes is the upstream's affair. */
export type RequestOptions<Opaque = null> = Omit<
  Dispatcher.RequestOptions<Opaque>,
  'origin' | 'path' | 'method' | 'body'
> & {
  /** As undici has it, or a function that gives it: called for each time that the request is sent. Default none. */
  readonly body?: RequestBody | (() => RequestBody) | undefined
  /** Default `GET`. */
  readonly method?: Dispatcher.HttpMethod | undefined
}

/** undici's `request`. */
export type UpstreamRequest = <Opaque = null>(
  path: string | URL,
  options?: RequestOptions<Opaque>,
) => Promise<Dispatcher.ResponseData<Opaque>>

/** The three ways to make a call, for one context. */
export interface Calls {
  readonly request: UpstreamRequest
  readonly dispatcher: Dispatcher
  readonly fetch: Fetch
}

/** What {@link connectUpstream} stands on. */
export interface ConnectUpstreamOptions {
  readonly upstream: string | undefined
  readonly targets: TargetResolver
  readonly source: TokenSource
  readonly headers: Readonly<Record<string, string>>
  readonly dispatcher: Dispatcher | undefined
  readonly replay: ReplayPolicy
  readonly retry: RetryPolicy | undefined
  readonly timeoutMs: number
  readonly timeoutError: () => Error
  readonly closedError: () => Error
  readonly close: () => Promise<void>
}

/** An upstream's connections. */
export interface UpstreamConnection {
  /** Calls for whatever context `current` gives at the time of each. */
  callsFor(current: () => CallContext | undefined): Calls
  /** Ends calls under way with this error, and all later ones. */
  close(error: Error): Promise<void>
}

/** Puts the parts of an upstream in order: context, then deadline, then token, then connections. */
export function connectUpstream(options: ConnectUpstreamOptions): UpstreamConnection {
  const { upstream, targets, source, replay, retry } = options
  const own = options.dispatcher === undefined ? new Agent() : undefined
  const base = own ?? options.dispatcher
  const underWay = new CallsUnderWay(options)
  const guard = new RefusalGuard(() => performance.now())
  const headers = Object.entries(options.headers)
  let closed = false

  const bound = options.dispatcher === undefined ? undefined : boundOrigins(options.dispatcher)
  const connections: Dispatcher.Dispatch = (call, handler) => {
    if (base === undefined || closed) return refuse(handler, options.closedError())
    if (bound !== undefined && !mayPass(bound(), call.origin, targets.origins)) {
      return refuse(handler, originError(upstream, call.origin, `the dispatcher sends to ${bound().join(', ')}`))
    }
    return base.dispatch(call, handler)
  }
  const authorized = (callSource: CallSource): Dispatcher.Dispatch =>
    authorizeWith({ source: callSource, origins: targets.origins, replay, retry, guard })(connections)

  const withoutContext = authorized(source)
  // One per context object, which is one per inbound request or per `run`. Fixed when the call is made: what comes later, such
  // as a refusal, happens in whatever asynchronous context the connection has.
  const byContext = new WeakMap<CallContext, Dispatcher.Dispatch>()
  function authorizedIn(context: CallContext): Dispatcher.Dispatch {
    const before = byContext.get(context)
    if (before !== undefined) return before
    const made = authorized({
      peek: () => source.peek(context),
      get: (wait) => source.get({ ...wait, context }),
      invalidate: (token) => source.invalidate(token),
      dpop: source.dpop,
    })
    byContext.set(context, made)
    return made
  }

  const start = (dispatch: Dispatcher.Dispatch, request: Dispatcher.DispatchOptions, call: CallHandler): boolean => {
    try {
      return call.ended ? false : dispatch(request, call)
    } catch (error) {
      // Told to the caller by this very throw.
      call.discard()
      throw error
    }
  }

  function callsFor(current: () => CallContext | undefined): Calls {
    const open: Dispatcher.Dispatch = (given, handler) => {
      assertHandler(handler)
      if (closed) return refuse(handler, options.closedError())
      const context = current()
      if (context !== undefined) return openIn(context, given, handler)
      return start(withoutContext, withHeaders(given, headers), new CallHandler(handler, underWay))
    }
    const openIn = (context: CallContext, given: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler) => {
      const request = withHeaders(given, [...Object.entries(context.headers ?? {}), ...headers])
      const call = new CallHandler(new InContextHandler(handler), underWay)
      const signal = signalFor(given.method, context)
      if (signal !== undefined) call.endWith(signal)
      return start(authorizedIn(context), request, call)
    }
    const withHeaders = (given: Dispatcher.DispatchOptions, more: readonly (readonly [string, string])[]) => {
      if (more.length === 0 || !isAmong(targets.origins, given.origin)) return given
      const request = withReusableHeaders(given)
      const keptBack = strippedOnRedirect(
        request,
        more.map(([name]) => name),
      )
      return { ...request, headers: withDefaults(request.headers, more) ?? null, ...keptBack }
    }
    const guarded: Dispatcher.Dispatch = (call, handler) =>
      isAmong(targets.origins, call.origin)
        ? open(call, handler)
        : refuse(handler, originError(upstream, call.origin, 'it is not among its origins'))
    const calls = new PipelineDispatcher({ dispatch: open, close: options.close })
    return {
      dispatcher: new PipelineDispatcher({ dispatch: guarded, close: options.close }),
      // A redirect that fetch follows may leave the allowed origins: it goes on, without the token.
      fetch: createFetch({ dispatcher: calls, targets, current, sentAgain: replay !== 'never' || retry !== undefined }),
      request: (input, request) => {
        try {
          const { origin, path } = targets.resolve(input)
          return calls.request({
            ...request,
            origin,
            path,
            method: request?.method ?? 'GET',
          } as Dispatcher.RequestOptions<never>)
        } catch (error) {
          return Promise.reject(error)
        }
      },
    }
  }

  return {
    callsFor,
    async close(error) {
      closed = true
      underWay.abortAll(error)
      await own?.destroy(error)
    },
  }
}

function refuse(handler: Dispatcher.DispatchHandler, error: Error): boolean {
  fail(handler, error)
  return false
}

function originError(
  upstream: string | undefined,
  origin: string | URL | undefined,
  reason: string,
): OriginNotAllowedError {
  return new OriginNotAllowedError('the origin of the call is not one of its own', {
    upstream,
    cause: new Error(`${readable(origin)}: ${reason}`),
  })
}

function readable(origin: string | URL | undefined): string {
  return origin !== undefined && URL.canParse(origin) ? new URL(origin).origin : 'what was given'
}
