import { Agent, type Dispatcher } from 'undici'
import type { CallContext } from '../context/call-context.ts'
import { OriginNotAllowedError } from '../errors.ts'
import type { TokenSource } from '../source/token-source.ts'
import { AbortableHandler } from './abortable-handler.ts'
import { applyContext } from './apply-context.ts'
import { authorizeFrom, type CallSource } from './authorize.ts'
import { createFetch, type Fetch } from './fetch.ts'
import { assertHandler, fail } from './forwarding-handler.ts'
import { InContextHandler } from './in-context-handler.ts'
import { PipelineDispatcher } from './pipeline-dispatcher.ts'
import type { ReplayPolicy } from './replayable-body.ts'
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

/** Puts the parts of an upstream in order: context, then token, then connections. */
export function connectUpstream(options: ConnectUpstreamOptions): UpstreamConnection {
  const { upstream, targets, source } = options
  const own = options.dispatcher === undefined ? new Agent() : undefined
  const base = own ?? options.dispatcher
  const closing = new AbortController()
  let closed = false

  // Calls on a dispatcher of our own end with it. One that was given goes on living, so its calls are ended one by one.
  const connections: Dispatcher.Dispatch = (call, handler) => {
    if (base === undefined || closed) return refuse(handler, options.closedError())
    return base.dispatch(call, own === undefined ? new AbortableHandler(handler, closing.signal) : handler)
  }

  // A source that was given outlives the upstream; who waits for it through the upstream does not.
  const sourceFor = (context: CallContext | undefined): CallSource => ({
    peek: () => source.peek(context),
    get: (wait) => {
      const signals = [closing.signal, wait?.signal].filter((signal) => signal !== undefined)
      return source.get({ ...wait, context, signal: AbortSignal.any(signals) })
    },
    invalidate: (token) => source.invalidate(token),
  })
  const withoutContext = sourceFor(undefined)
  // One per context object, which is one per inbound request or per `run`.
  const bySource = new WeakMap<CallContext, CallSource>()
  function sourceIn(context: CallContext): CallSource {
    const before = bySource.get(context)
    if (before !== undefined) return before
    const made = sourceFor(context)
    bySource.set(context, made)
    return made
  }

  function callsFor(current: () => CallContext | undefined): Calls {
    const sourceNow = () => {
      const context = current()
      return context === undefined ? withoutContext : sourceIn(context)
    }
    const authorized = authorizeFrom(sourceNow, { origins: targets.origins, replay: options.replay })(connections)
    const dispatch = applyContext({ origins: targets.origins, headers: options.headers, current })(authorized)
    const open: Dispatcher.Dispatch = (call, handler) => {
      assertHandler(handler)
      if (closed) return refuse(handler, options.closedError())
      return dispatch(call, current() === undefined ? handler : new InContextHandler(handler))
    }
    const guarded: Dispatcher.Dispatch = (call, handler) =>
      isAmong(targets.origins, call.origin) ? open(call, handler) : refuse(handler, originError(upstream, call.origin))
    const calls = new PipelineDispatcher({ dispatch: open, close: options.close })
    return {
      dispatcher: new PipelineDispatcher({ dispatch: guarded, close: options.close }),
      // A redirect that fetch follows may leave the allowed origins: it goes on, without the token.
      fetch: createFetch({ dispatcher: calls, targets, current, replay: options.replay !== 'never' }),
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
      closing.abort(error)
      await own?.destroy(error)
    },
  }
}

function refuse(handler: Dispatcher.DispatchHandler, error: Error): boolean {
  fail(handler, error)
  return false
}

function originError(upstream: string | undefined, origin: string | URL | undefined): OriginNotAllowedError {
  return new OriginNotAllowedError('the origin of the call is not one of its own', {
    upstream,
    cause: new Error(`${readable(origin)} is not among its origins`),
  })
}

function readable(origin: string | URL | undefined): string {
  return origin !== undefined && URL.canParse(origin) ? new URL(origin).origin : 'what was given'
}
