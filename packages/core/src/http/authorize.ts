import type { Dispatcher } from 'undici'
import { authorizationOf } from '../oauth/access-token.ts'
import type { AccessToken } from '../oauth/access-token.ts'
import type { TokenSource } from '../source/token-source.ts'
import { assertHandler, fail } from './forwarding-handler.ts'
import { hasHeader, withHeader, withReusableHeaders } from './headers.ts'
import { RefusalGuard } from './refusal-guard.ts'
import { ReplayHandler, type ReplayActions } from './replay-handler.ts'
import { isReplayable, type ReplayPolicy } from './replayable-body.ts'
import { isAmong } from './target.ts'

/** Options of {@link authorize}. */
export interface AuthorizeOptions {
  /** Where the token comes from. */
  readonly source: Pick<TokenSource, 'peek' | 'get' | 'invalidate'>
  /** The only origins that get the token: scheme, host and port. */
  readonly origins: Iterable<string>
  /**
   * What is sent again, once and with another token, after a 401 that refuses the token. `'replayable'` (default): every
   * request whose body is at hand: none, text, bytes, a `Blob` or a function that gives it. `'safe-methods'`: of these, GET,
   * HEAD, OPTIONS and TRACE. `'never'`: nothing.
   */
  readonly replay?: ReplayPolicy | undefined
}

/**
 * An undici interceptor that puts the access token on requests: `new Agent().compose(authorize({ source, origins }))`.
 *
 * Looks at each request anew, so one that is redirected to another origin goes on without the token. A request that has
 * an Authorization header keeps it. Without a token nothing is sent: the request fails with what `source.get` threw. A
 * token that the API refuses (RFC 6750 §3.1) is invalidated and replaced; when no other can be had, the 401 is given as it
 * came.
 * It knows origins by name: give an interceptor that resolves names, such as undici's `dns`, to `compose` before it.
 * Throws a `TypeError` for an origin that is none.
 */
export function authorize({ source, ...options }: AuthorizeOptions): Dispatcher.DispatcherComposeInterceptor {
  return authorizeFrom(() => source, options)
}

/** The part of a token source that a call needs. */
export type CallSource = AuthorizeOptions['source']

/**
 * {@link authorize} with a source that is chosen for each call, when it is made: what comes later, such as a refusal, happens
 * in whatever asynchronous context the connection has.
 */
export function authorizeFrom(
  sourceNow: () => CallSource,
  { origins, replay = 'replayable' }: Omit<AuthorizeOptions, 'source'>,
): Dispatcher.DispatcherComposeInterceptor {
  const allowed = new Set(Array.from(origins, checkOrigin))
  const guard = new RefusalGuard(() => performance.now())

  return (dispatch) => {
    const sendOnce = sender(dispatch, guard)
    const send = (request: Request, handler: Handler, token: AccessToken, source: CallSource): boolean => {
      if (!isReplayable(request, replay)) return dispatch(withToken(request, token), handler)
      return dispatch(withToken(request, token), new ReplayHandler(handler, request, token, actionsOf(source)))
    }
    const actions = new WeakMap<CallSource, ReplayActions>()
    const actionsOf = (source: CallSource): ReplayActions => {
      const known = actions.get(source) ?? {
        ...replacing(source, guard),
        send: sendOnce,
        accepted: guard.accepted.bind(guard),
      }
      actions.set(source, known)
      return known
    }
    return (given, handler) => {
      assertHandler(handler)
      if (!isAmong(allowed, given.origin)) return dispatch(given, handler)
      const request = withReusableHeaders(given)
      if (hasHeader(request.headers, 'authorization')) return dispatch(request, handler)
      const source = sourceNow()
      const token = source.peek()
      if (token !== undefined) return send(request, handler, token, source)
      source.get(waitOf(request)).then(
        (awaited) => late(handler, () => send(request, handler, awaited, source)),
        (error: Error) => fail(handler, error),
      )
      return true
    }
  }
}

type Request = Dispatcher.DispatchOptions
type Handler = Dispatcher.DispatchHandler

/** Finds another token than a refused one, unless every token is refused. */
function replacing(source: CallSource, guard: RefusalGuard): Pick<ReplayActions, 'another'> {
  return {
    async another(request, refused) {
      if (!guard.allows(refused)) return undefined
      source.invalidate(refused)
      try {
        const token = await source.get(waitOf(request))
        if (token.generation === refused.generation) return undefined
        guard.replaced(refused, token)
        return token
      } catch {
        // The refusal itself tells the caller more than the trouble of finding another token.
        return undefined
      }
    },
  }
}

/** Sends a request for the second and last time. */
function sender(dispatch: Dispatcher.Dispatch, guard: RefusalGuard): ReplayActions['send'] {
  const last: ReplayActions = {
    another: async () => undefined,
    send: () => {},
    accepted: guard.accepted.bind(guard),
  }
  return (request, token, handler) => {
    late(handler, () => dispatch(withToken(request, token), new ReplayHandler(handler, request, token, last)))
  }
}

function waitOf(request: Request): { signal?: AbortSignal } {
  const { signal } = request as { signal?: unknown }
  if (signal instanceof AbortSignal) return { signal }
  // undici takes an event emitter too.
  const emitter = signal as { once?: (event: 'abort', listener: () => void) => void } | null | undefined
  if (typeof emitter?.once !== 'function') return {}
  const controller = new AbortController()
  emitter.once('abort', () => controller.abort())
  return { signal: controller.signal }
}

function withToken(request: Dispatcher.DispatchOptions, token: AccessToken): Dispatcher.DispatchOptions {
  const headers = withHeader(request.headers, 'authorization', authorizationOf(token)) ?? null
  const { body } = request as { body?: unknown }
  if (typeof body !== 'function') return { ...request, headers }
  // A function gives the body anew for each time that it is sent.
  return { ...request, headers, body: (body as () => Dispatcher.DispatchOptions['body'])() ?? null }
}

// Nobody up the stack is left to catch what a dispatcher throws by now, so it goes where the handler's caller looks.
function late(handler: Handler, dispatch: () => void): void {
  try {
    dispatch()
  } catch (error) {
    fail(handler, error as Error)
  }
}

function checkOrigin(origin: string): string {
  const url = typeof origin === 'string' && URL.canParse(origin) ? new URL(origin) : undefined
  if (url !== undefined && /^https?:$/.test(url.protocol)) return url.origin
  throw new TypeError('authorize: origins: expected origins such as https://api.example.com')
}
