import type { Dispatcher } from 'undici'
import type { CallContext } from '../context/call-context.ts'
import { AbortableHandler } from './abortable-handler.ts'
import { hasHeader, withHeader, withReusableHeaders } from './headers.ts'
import { isAmong } from './target.ts'

/** What {@link applyContext} puts on calls. */
export interface ApplyContextOptions {
  readonly origins: ReadonlySet<string>
  /** Sent with every call. */
  readonly headers: Readonly<Record<string, string>>
  /** The context of the call that is being made, if it has one. */
  readonly current: () => CallContext | undefined
}

// RFC 9110 §9.2.1.
const safeMethods = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE'])

/**
 * An undici interceptor that adds the upstream's and the context's headers to calls of allowed origins, and ends calls
 * when the context's signal does. A header that the call itself sets wins, then the context's, then the upstream's.
 */
export function applyContext({
  origins,
  headers,
  current,
}: ApplyContextOptions): Dispatcher.DispatcherComposeInterceptor {
  const always = Object.entries(headers)
  return (dispatch) => (given, handler) => {
    const context = current()
    if (context === undefined && always.length === 0) return dispatch(given, handler)
    const options = withReusableHeaders(given)
    const signal = signalFor(options.method, context)
    const known = isAmong(origins, options.origin)
    const added = known
      ? addHeaders(addHeaders(options.headers, Object.entries(context?.headers ?? {})), always)
      : options.headers
    if (signal === undefined) return dispatch({ ...options, headers: added ?? null }, handler)
    const applied = { ...options, headers: added ?? null, signal: either(options, signal) }
    return dispatch(applied, new AbortableHandler(handler, signal))
  }
}

/** The signal of the context, if it ends calls of this method. */
export function signalFor(method: string, context: CallContext | undefined): AbortSignal | undefined {
  if (context?.signalAborts === 'safe-methods' && !safeMethods.has(method.toUpperCase())) return undefined
  return context?.signal
}

// For the wait for a token, which ends with either.
function either(options: object, signal: AbortSignal): AbortSignal {
  const own = (options as { signal?: unknown }).signal
  return own instanceof AbortSignal ? AbortSignal.any([own, signal]) : signal
}

function addHeaders(
  headers: Dispatcher.DispatchOptions['headers'],
  more: readonly (readonly [string, string])[],
): Dispatcher.DispatchOptions['headers'] {
  let all = headers
  for (const [name, value] of more) {
    if (!hasHeader(all, name)) all = withHeader(all, name, value)
  }
  return all
}
