import type { Dispatcher } from 'undici'
import { authorizationOf } from '../oauth/access-token.ts'
import type { AccessToken } from '../oauth/access-token.ts'
import type { TokenSource } from '../source/token-source.ts'
import { fail } from './forwarding-handler.ts'
import { hasHeader, withHeader } from './headers.ts'
import { isAmong } from './target.ts'

/** Options of {@link authorize}. */
export interface AuthorizeOptions {
  /** Where the token comes from. */
  readonly source: Pick<TokenSource, 'peek' | 'get'>
  /** The only origins that get the token: scheme, host and port. */
  readonly origins: Iterable<string>
}

/**
 * An undici interceptor that puts the access token on requests: `new Agent().compose(authorize({ source, origins }))`.
 *
 * Looks at each request anew, so one that is redirected to another origin goes on without the token. A request that has
 * an Authorization header keeps it. Without a token nothing is sent: the request fails with what `source.get` threw.
 * Throws a `TypeError` for an origin that is none.
 */
export function authorize({ source, origins }: AuthorizeOptions): Dispatcher.DispatcherComposeInterceptor {
  const allowed = new Set(Array.from(origins, checkOrigin))
  return (dispatch) => (options, handler) => {
    if (!isAmong(allowed, options.origin) || hasHeader(options.headers, 'authorization')) {
      return dispatch(options, handler)
    }
    const token = source.peek()
    if (token !== undefined) return dispatch(withToken(options, token), handler)
    const { signal } = options as { signal?: unknown }
    source.get(signal instanceof AbortSignal ? { signal } : {}).then(
      (awaited) => dispatchLate(dispatch, withToken(options, awaited), handler),
      (error: Error) => fail(handler, error),
    )
    return true
  }
}

function withToken(options: Dispatcher.DispatchOptions, token: AccessToken): Dispatcher.DispatchOptions {
  return { ...options, headers: withHeader(options.headers, 'authorization', authorizationOf(token)) ?? null }
}

// Nobody up the stack is left to catch what a dispatcher throws now, so it goes where the handler's caller looks.
function dispatchLate(
  dispatch: Dispatcher.Dispatch,
  options: Dispatcher.DispatchOptions,
  handler: Dispatcher.DispatchHandler,
): void {
  try {
    dispatch(options, handler)
  } catch (error) {
    fail(handler, error as Error)
  }
}

function checkOrigin(origin: string): string {
  const url = typeof origin === 'string' && URL.canParse(origin) ? new URL(origin) : undefined
  if (url !== undefined && /^https?:$/.test(url.protocol)) return url.origin
  throw new TypeError('authorize: origins: expected origins such as https://api.example.com')
}
