import type { IncomingMessage, ServerResponse } from 'node:http'
import { checkMethods } from '../check-options.ts'
import { isHeaderName, isHeaderValue } from '../check-headers.ts'
import { MergedContext, type CallContext, type Log } from './call-context.ts'
import { HangUp } from './hang-up.ts'

/** What outbound calls take over from the inbound request they serve. */
export interface RequestContextOptions {
  /** Inbound headers that go on to the upstream. Default `traceparent`, `tracestate`, `baggage`, `x-request-id`. */
  readonly propagate?: readonly string[] | undefined
  /** Which outbound calls end when the inbound caller hangs up. Default `'safe-methods'`. */
  readonly abortOnDisconnect?: 'safe-methods' | 'always' | 'never' | undefined
  /** The `log` of each context. Default none; the upstreams' own, if they have one, comes first. */
  readonly log?: Log | undefined
}

// W3C Trace Context and Baggage, and the usual correlation id.
const defaultPropagate: readonly string[] = Object.freeze(['traceparent', 'tracestate', 'baggage', 'x-request-id'])

// A credential that was meant for us is nobody else's, and these describe a connection or a body that is not passed on.
const neverPropagated =
  /^(?:authorization|proxy-authorization|cookie|set-cookie|dpop|host|connection|keep-alive|te|trailer|transfer-encoding|upgrade|content-length)$/i

/** Gives the context of one inbound request of node:http. */
export type RequestContext = (request: IncomingMessage, response: ServerResponse) => CallContext

/**
 * How to make the context of calls that serve an inbound request: the headers that go on, and a signal that aborts when
 * the caller hangs up before it got its answer. The inbound Authorization and Cookie are never taken.
 * Throws a `TypeError` that names the option, and the header, that is refused.
 */
export function requestContext(options: RequestContextOptions = {}): RequestContext {
  const { propagate = defaultPropagate, abortOnDisconnect = 'safe-methods', log } = options
  if (!Array.isArray(propagate) || propagate.some((name) => typeof name !== 'string')) {
    throw new TypeError('propagate: expected an array of header names')
  }
  const names = propagate.map((name: string) => name.toLowerCase())
  const refused = names.find((name) => neverPropagated.test(name))
  if (!names.every(isHeaderName)) throw new TypeError('propagate: expected header names as RFC 9110 allows them')
  if (refused !== undefined) throw new TypeError(`propagate: ${refused} is never passed on to an upstream`)
  if (!['safe-methods', 'always', 'never'].includes(abortOnDisconnect)) {
    throw new TypeError("abortOnDisconnect: expected 'safe-methods', 'always' or 'never'")
  }
  checkMethods(log, ['debug', 'info', 'warn', 'error'], 'log')
  const ending = { log, signalAborts: abortOnDisconnect === 'always' ? ('all' as const) : ('safe-methods' as const) }
  return (request, response) => {
    const headers: Record<string, string> = {}
    for (const name of names) {
      const value = request.headers[name]
      // Which one of a list to pass on is not ours to guess, and what HTTP does not allow did not come by it.
      if (isHeaderValue(value)) headers[name] = value
    }
    return abortOnDisconnect === 'never'
      ? new MergedContext({ log }, headers, undefined)
      : new MergedContext(ending, headers, HangUp.of(response))
  }
}
