import { AsyncResource } from 'node:async_hooks'
import { setTimeout } from 'node:timers/promises'
import type { Dispatcher } from 'undici'
import { CallEvents } from '../diagnostics/call-events.ts'
import { isDpopBound } from '../oauth/access-token.ts'
import type { AccessToken } from '../oauth/access-token.ts'
import { reasonOf } from '../oauth/refusal.ts'
import type { TokenSource } from '../source/token-source.ts'
import { asSent, originOf, proofFor, withProof } from './as-sent.ts'
import { AttemptHandler, untried, type AttemptActions, type Tried } from './attempt-handler.ts'
import { mayPass } from './bound-origins.ts'
import { CallHandler } from './call-handler.ts'
import { contextOf, waitOf, type Wait } from './call-wait.ts'
import { assertHandler, fail, ForwardingHandler } from './forwarding-handler.ts'
import { hasHeader, withReusableHeaders } from './headers.ts'
import { RefusalGuard } from './refusal-guard.ts'
import { InContextHandler } from './in-context-handler.ts'
import { obstacleTo, type ReplayPolicy } from './replayable-body.ts'
import { pauseBeforeRetry, type RetryPolicy } from './retry-policy.ts'
import { isAmong } from './target.ts'

/** Options of {@link authorize}. */
export interface AuthorizeOptions {
  /** Where the token comes from. */
  readonly source: Pick<TokenSource, 'peek' | 'get' | 'invalidate' | 'dpop'>
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
 * A dispatcher that is bound to another origin than the call's gets none, nor does a `BalancedPool`, which chooses by itself.
 * It knows origins by name: give an interceptor that resolves names, such as undici's `dns`, to `compose` before it.
 * Throws a `TypeError` for an origin that is none.
 */
export function authorize({ source, origins, replay }: AuthorizeOptions): Dispatcher.DispatcherComposeInterceptor {
  return authorizeWith({
    source,
    origins: new Set(Array.from(origins, checkOrigin)),
    replay: replay ?? 'replayable',
    retry: undefined,
    guard: new RefusalGuard(() => performance.now()),
    events: new CallEvents(undefined, undefined),
  })
}

/** The part of a token source that a call needs. */
export type CallSource = AuthorizeOptions['source']

/** What {@link authorizeWith} stands on. */
export interface AuthorizeParts {
  readonly source: CallSource
  readonly origins: ReadonlySet<string>
  readonly replay: ReplayPolicy
  readonly retry: RetryPolicy | undefined
  readonly guard: RefusalGuard
  readonly events: CallEvents
}

/** {@link authorize} as an upstream uses it: with retries, each of which gets the token that is current then. */
export function authorizeWith(parts: AuthorizeParts): Dispatcher.DispatcherComposeInterceptor {
  const { source, origins, replay, retry, guard, events } = parts
  // Where nearly every call goes, spelled like that.
  const [home] = origins
  // undici tells interceptors where the dispatcher goes whatever the call says; null if nobody knows.
  return (dispatch: Dispatcher.Dispatch, boundTo?: string | null) => {
    const isOwn = ({ origin }: Request): boolean =>
      ((home !== undefined && origin === home) || isAmong(origins, origin)) &&
      (boundTo === undefined || (boundTo !== null && mayPass([boundTo], origin, origins)))
    const start = (request: Request, handler: Handler, tried: Tried): boolean => {
      if (hasHeader(request.headers, 'authorization')) return send(request, undefined, handler, tried)
      const token = source.peek(contextOf(handler))
      if (token !== undefined) return send(request, token, handler, tried)
      sendWithNext(request, handler, tried)
      return true
    }
    // Apart, so that the usual case makes no closures.
    const sendWithNext = (request: Request, handler: Handler, tried: Tried): void => {
      source.get(waitOf(request, handler)).then(
        (token) => late(handler, () => send(request, assertToken(token), handler, tried)),
        (error: Error) => failUnsent(handler, error),
      )
    }
    const send = (request: Request, token: AccessToken | undefined, handler: Handler, tried: Tried): boolean =>
      token !== undefined && isDpopBound(token)
        ? sendWithProof(request, token, handler, tried)
        : dispatch(asSent(request, token), new AttemptHandler(handler, actions, request, token, tried))
    const sendWithProof = (
      request: Request,
      token: AccessToken,
      handler: Handler,
      tried: Tried,
      nonce?: string,
    ): boolean => {
      const attempt = new AttemptHandler(handler, actions, request, token, tried)
      proofFor(source, request, token, nonce).then(
        (proof) => late(handler, () => dispatch(asSent(withProof(request, proof), token), attempt)),
        (error: Error) => failUnsent(handler, error),
      )
      return true
    }

    const actions: AttemptActions = {
      refused: (token, statusCode, headers) =>
        events.refused(statusCode, () => reasonOf(headers['www-authenticate'], token)),
      replay(attempt, refused, handler) {
        const { request, tried } = attempt
        // One that was issued for this very call, or a moment ago.
        const isSpared = tried.replayed || !guard.allows(refused)
        if (isSpared) events.refusesAll(contextOf(handler)?.log)
        const obstacle = isSpared ? 'skipped_budget' : obstacleTo(request, replay)
        if (obstacle !== undefined) {
          events.replay('token', obstacle)
          return undefined
        }
        const wait = waitOf(request, handler)
        return another(source, refused, wait).then(({ token, error }) => {
          // The refusal is there, but nobody waits for it.
          if (wait.signal?.aborted === true) return () => fail(handler, wait.signal?.reason as Error)
          if (token === undefined) {
            events.replay('token', 'skipped_token', error)
            return undefined
          }
          guard.replaced(refused, token)
          return () => {
            events.replay('token', 'sent')
            late(handler, () => send(request, token, handler, { ...tried, replayed: true }))
          }
        })
      },
      challenge({ request, tried }, token, nonce, handler) {
        const obstacle = tried.challenged ? 'skipped_budget' : obstacleTo(request, replay)
        if (obstacle !== undefined) {
          events.replay('nonce', obstacle)
          return undefined
        }
        const again = () => sendWithProof(request, token, handler, { ...tried, challenged: true }, nonce)
        return Promise.resolve(() => {
          events.replay('nonce', 'sent')
          late(handler, again)
        })
      },
      nonceOf: ({ request }, headers) => source.dpop?.note(originOf(request), headers['dpop-nonce']),
      isTrouble: (statusCode) => retry?.statusCodes.has(statusCode) === true,
      retry(attempt, trouble, handler) {
        const { request, tried } = attempt
        const pauseMs = retry === undefined ? undefined : pauseBeforeRetry(retry, attempt, trouble)
        if (pauseMs === undefined || !isInTime(handler, pauseMs)) return undefined
        const { signal } = waitOf(request, handler)
        return setTimeout(pauseMs, undefined, { signal }).then(
          () => () => late(handler, () => start(request, handler, { ...tried, retries: tried.retries + 1 })),
          // The call has ended meanwhile.
          () => undefined,
        )
      },
      accepted(token, handler) {
        if (guard.accepted(token)) events.accepted(contextOf(handler)?.log)
      },
    }

    return (given, handler) => {
      assertHandler(handler)
      if (!isOwn(given)) return dispatch(given, handler)
      return start(withReusableHeaders(given), knowingItsContext(handler), untried)
    }
  }
}

type Request = Dispatcher.DispatchOptions
type Handler = Dispatcher.DispatchHandler

// What is sent again is sent in the context of its call, which undici's own handlers know, but for that of fetch.
function knowingItsContext(handler: Handler): Handler {
  return handler instanceof ForwardingHandler || handler instanceof AsyncResource
    ? handler
    : new InContextHandler(handler)
}

// Without one the request would go as if the caller had brought its own.
function assertToken(token: AccessToken | undefined): AccessToken {
  if (token === undefined) throw new TypeError('the token source gave no token')
  return token
}

/** Another token than a refused one, or undefined if there is none to be had. */
async function another(
  source: CallSource,
  refused: AccessToken,
  wait: Wait,
): Promise<{ token?: AccessToken; error?: unknown }> {
  try {
    source.invalidate(refused)
    const token = await source.get(wait)
    return token.generation === refused.generation ? {} : { token }
  } catch (error) {
    // The refusal itself tells the caller more than the trouble of finding another token.
    return { error }
  }
}

// A response that is there is worth more than one that would come too late.
function isInTime(handler: Handler, pauseMs: number): boolean {
  return !(handler instanceof CallHandler) || performance.now() + pauseMs < handler.deadlineAt
}

// Nobody up the stack is left to catch what a dispatcher throws by now, so it goes where the handler's caller looks.
function late(handler: Handler, dispatch: () => void): void {
  try {
    dispatch()
  } catch (error) {
    // Of the call's own options, so no trouble on the way either.
    if (handler instanceof CallHandler) handler.abort(error as Error)
    else fail(handler, error as Error)
  }
}

// What a token source throws, such as a user's own, says nothing of the way to the API, whatever its code.
function failUnsent(handler: Handler, error: Error): void {
  if (handler instanceof CallHandler) handler.failUnsent(error)
  else fail(handler, error)
}

function checkOrigin(origin: string): string {
  const url = typeof origin === 'string' && URL.canParse(origin) ? new URL(origin) : undefined
  const { protocol = '', href, origin: own } = url ?? {}
  if (/^https?:$/.test(protocol) && own !== undefined && href === `${own}/`) return own
  throw new TypeError('authorize: origins: expected origins such as https://api.example.com')
}
