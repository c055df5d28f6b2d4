import { Agent, Dispatcher } from 'undici'
import type { Log, MergedContext } from '../context/call-context.ts'
import { CallEvents } from '../diagnostics/call-events.ts'
import { OriginNotAllowedError } from '../errors.ts'
import type { TokenSource } from '../source/token-source.ts'
import { authorizeWith } from './authorize.ts'
import { boundOrigins, mayPass } from './bound-origins.ts'
import { CallHandler, type Telling } from './call-handler.ts'
import { CallsUnderWay } from './calls-under-way.ts'
import { endingFor } from './context-signal.ts'
import { createFetch, type Fetch } from './fetch.ts'
import { assertHandler, fail } from './forwarding-handler.ts'
import { strippedOnRedirect, withDefaults, withReusableHeaders, type DefaultHeaders } from './headers.ts'
import { InContextHandler } from './in-context-handler.ts'
import { PipelineDispatcher } from './pipeline-dispatcher.ts'
import { RefusalGuard } from './refusal-guard.ts'
import type { ReplayPolicy } from './replayable-body.ts'
import type { RetryPolicy } from './retry-policy.ts'
import { isAmong, type TargetResolver } from './target.ts'
import { toldOf, Unsent } from './unreachable.ts'

type Request = Dispatcher.DispatchOptions
type Handler = Dispatcher.DispatchHandler
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

/** What {@link connectUpstream} stands on. */
export interface ConnectUpstreamOptions {
  readonly upstream: string | undefined
  readonly log: Log | undefined
  /** The context of the code that is running, if it has one. */
  readonly ambient: () => MergedContext | undefined
  readonly targets: TargetResolver
  readonly source: TokenSource
  readonly headers: Readonly<Record<string, string>>
  readonly dispatcher: Dispatcher | undefined
  readonly replay: ReplayPolicy
  readonly retry: RetryPolicy | undefined
  readonly timeoutMs: number
  readonly timeoutError: () => Error
  readonly deadlineError: () => Error
  readonly closedError: () => Error
  readonly close: () => Promise<void>
}

/** An upstream's connections. */
export interface UpstreamConnection {
  /** The three ways to make a call: in this context, or in whatever is the ambient one at the time of each. */
  requestIn(fixed: MergedContext | undefined): UpstreamRequest
  fetchIn(fixed: MergedContext | undefined): Fetch
  dispatcherIn(fixed: MergedContext | undefined): Dispatcher
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
  const events = new CallEvents(upstream, options.log)
  const headers = isEmpty(options.headers) ? undefined : options.headers
  let closed = false

  const bound = options.dispatcher === undefined ? undefined : boundOrigins(options.dispatcher)
  const connections: Dispatcher.Dispatch = (call, handler) => {
    if (base === undefined || closed) return refuse(handler, options.closedError())
    if (bound !== undefined && !mayPass(bound(), call.origin, targets.origins)) {
      return refuse(handler, originError(upstream, call.origin, `the dispatcher sends to ${bound().join(', ')}`))
    }
    return base.dispatch(call, handler)
  }
  const authorized = authorizeWith({ source, origins: targets.origins, replay, retry, guard, events })(connections)

  const start = (request: Request, call: CallHandler): boolean => {
    try {
      return call.ended ? false : authorized(request, call)
    } catch (error) {
      // Told to the caller by this very throw.
      call.discard()
      throw error
    }
  }

  const trouble = (error: Error) => toldOf(error, upstream)
  const toldByRequest: Telling = { trouble, unsent: (error) => error }
  const toldByFetch: Telling = { trouble, unsent: (error) => new Unsent(error) }

  const withHeaders = (given: Request, more: DefaultHeaders | undefined) => {
    if (more === undefined || !isAmong(targets.origins, given.origin)) return given
    const request = withReusableHeaders(given)
    const keptBack = strippedOnRedirect(request, Object.keys(more))
    return { ...request, headers: withDefaults(request.headers, more), ...keptBack }
  }
  const open = (fixed: MergedContext | undefined, given: Request, handler: Handler, telling?: Telling): boolean => {
    assertHandler(handler)
    if (closed) return refuse(handler, options.closedError())
    if (fixed !== undefined) return openIn(fixed, given, handler, telling)
    const context = options.ambient()
    if (context !== undefined) return openIn(context, given, new InContextHandler(handler), telling)
    return start(withHeaders(given, headers), new CallHandler(handler, underWay, telling))
  }
  const openIn = (context: MergedContext, given: Request, handler: Handler, telling?: Telling): boolean => {
    const request = withHeaders(given, headersIn(context, headers))
    const call = new CallHandler(handler, underWay, telling, context)
    const ending = endingFor(given.method, context)
    if (ending !== undefined) call.endWith(ending)
    const leftMs = leftOf(context)
    if (leftMs <= 0) call.abort(options.deadlineError())
    else if (leftMs < Infinity) call.endIn(leftMs, options.deadlineError)
    return start(request, call)
  }

  return {
    requestIn(fixed) {
      const calls: Pick<Dispatcher, 'dispatch'> = new OwnCalls(open, fixed, toldByRequest)
      return (input, request) => {
        try {
          const { origin, path } = targets.resolve(input)
          const method = request?.method ?? 'GET'
          // undici's own, without a dispatcher around it for each inbound request.
          const whole = { ...request, origin, path, method } as Dispatcher.RequestOptions<never>
          return Dispatcher.prototype.request.call(calls as Dispatcher, whole) as Promise<
            Dispatcher.ResponseData<never>
          >
        } catch (error) {
          return Promise.reject(error)
        }
      }
    },
    fetchIn: (fixed) =>
      createFetch({
        // A redirect that it follows may leave the allowed origins: it goes on, without the token.
        dispatcher: new OwnCalls(open, fixed, toldByFetch),
        targets,
        current: fixed === undefined ? options.ambient : () => fixed,
        sentAgain: replay !== 'never' || retry !== undefined,
      }),
    dispatcherIn: (fixed) =>
      new PipelineDispatcher({
        dispatch: (call, handler) =>
          isAmong(targets.origins, call.origin)
            ? open(fixed, call, handler)
            : refuse(handler, originError(upstream, call.origin, 'it is not among its origins')),
        close: options.close,
      }),
    async close(error) {
      closed = true
      underWay.abortAll(error)
      await own?.destroy(error)
    },
  }
}

type Open = (fixed: MergedContext | undefined, given: Request, handler: Handler, telling: Telling) => boolean

/** As much of a dispatcher as undici's request and fetch ask for. Made for inbound requests, so a class. */
class OwnCalls implements Pick<Dispatcher, 'dispatch'> {
  private readonly open: Open
  private readonly fixed: MergedContext | undefined
  private readonly telling: Telling

  constructor(open: Open, fixed: MergedContext | undefined, telling: Telling) {
    this.open = open
    this.fixed = fixed
    this.telling = telling
  }

  dispatch(call: Request, handler: Handler): boolean {
    this.open(this.fixed, call, handler, this.telling)
    // What a dispatcher below means by false, waiting for its `drain`, nobody could do here.
    return true
  }
}

/** Those of the context, and those of the upstream that it does not have. */
function headersIn({ headers }: MergedContext, own: DefaultHeaders | undefined): DefaultHeaders | undefined {
  if (isEmpty(headers)) return own
  return own === undefined ? headers : { ...own, ...headers }
}

function isEmpty(headers: DefaultHeaders): boolean {
  return Object.keys(headers).length === 0
}

/** Milliseconds that calls of this context may still take, as far as it says so. */
function leftOf({ deadline }: MergedContext): number {
  return deadline === undefined ? Infinity : deadline - Date.now()
}

function refuse(handler: Handler, error: Error): boolean {
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
