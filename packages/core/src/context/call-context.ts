import { checkHeaders } from '../check-headers.ts'

/** What one call, or all calls made on behalf of one inbound request, have in common. */
export interface CallContext {
  /** Aborts the call and its wait for a token, never the token request that others wait for too. */
  readonly signal?: AbortSignal | undefined
  /** Which calls `signal` aborts: `'all'` (default), or those with a safe method (RFC 9110 §9.2.1), so that a change
   * which was asked for is not cut off half-way. */
  readonly signalAborts?: 'all' | 'safe-methods' | undefined
  /** Merged into each call: trace context, correlation id. What the call itself sets wins. */
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** The inbound caller's token, for a grant that asks for one on its behalf. Never sent as it is. */
  readonly subjectToken?: string | undefined
  /** For which tenant the call is made. */
  readonly tenant?: string | undefined
}

/** One context on top of another: what `over` says wins, header by header; its signal takes the place of the other. */
export function mergeContexts(under: CallContext | undefined, over: CallContext): CallContext {
  const headers = { ...under?.headers, ...checkHeaders(over.headers ?? {}, 'context.headers') }
  if (under === undefined) return Object.freeze({ ...over, headers })
  return Object.freeze({
    headers,
    signal: over.signal ?? under.signal,
    // What an earlier signal was meant for does not bind a new one.
    signalAborts: over.signalAborts ?? (over.signal === undefined ? under.signalAborts : undefined),
    subjectToken: over.subjectToken ?? under.subjectToken,
    tenant: over.tenant ?? under.tenant,
  })
}
