import { checkHeaders } from '../check-headers.ts'
import { HangUp, type Ending } from './hang-up.ts'

/** A logger as pino has it, or the console. */
export interface Log {
  readonly debug: LogMethod
  readonly info: LogMethod
  readonly warn: LogMethod
  readonly error: LogMethod
}

/** One level of a {@link Log}: fields, then what they are about. */
export type LogMethod = (fields: object, message?: string) => void

/** What one call, or all calls made on behalf of one inbound request, have in common. */
export interface CallContext {
  /** Aborts the call and its wait for a token, never the token request that others wait for too. */
  readonly signal?: AbortSignal | undefined
  /** Which calls `signal` aborts: `'all'` (default), or those with a safe method (RFC 9110 §9.2.1), so that a change
   * which was asked for is not cut off half-way. */
  readonly signalAborts?: 'all' | 'safe-methods' | undefined
  /**
   * When whoever is served stops waiting, in milliseconds since the epoch. Ends calls, their wait for a token and what is
   * read of their responses with an `UpstreamTimeoutError`, if the upstream's `timeoutMs` does not before. Of several, the
   * earliest counts. NaN counts as none, so that it may be made of a header; a value of another type is refused.
   */
  readonly deadline?: number | undefined
  /** Merged into each call: trace context, correlation id. What the call itself sets wins. */
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** The inbound caller's token, for a grant that asks for one on its behalf. Never sent as it is. */
  readonly subjectToken?: string | undefined
  /** For which tenant the call is made. */
  readonly tenant?: string | undefined
  /** The logger of whoever is served, for functions that are given the context. This package writes no log. */
  readonly log?: Log | undefined
}

/** A context as calls have it. */
export interface MergedContext extends CallContext {
  /** What `signal` is made of when somebody asks for it. */
  readonly ending: Ending | undefined
}

/** One context on top of another: what `over` says wins, header by header; its signal takes the place of the other. */
export function mergeContexts(under: MergedContext | undefined, over: CallContext): MergedContext {
  const ownEnding = endingOf(over)
  const ending = ownEnding ?? under?.ending
  return Object.freeze({
    headers: { ...under?.headers, ...checkHeaders(over.headers ?? {}, 'context.headers') },
    deadline: earlier(under?.deadline, over.deadline),
    ending,
    get signal() {
      return ending instanceof HangUp ? ending.signal : (ending as AbortSignal | undefined)
    },
    // What an earlier signal was meant for does not bind a new one.
    signalAborts: over.signalAborts ?? (ownEnding === undefined ? under?.signalAborts : undefined),
    subjectToken: over.subjectToken ?? under?.subjectToken,
    tenant: over.tenant ?? under?.tenant,
    log: over.log ?? under?.log,
  })
}

// A context that was copied has a signal of its own, and maybe another one than it was made with.
function endingOf(context: CallContext & Partial<MergedContext>): Ending | undefined {
  const { ending } = context
  if (!(ending instanceof HangUp)) return context.signal
  return ending.made === undefined || ending.made === context.signal ? ending : context.signal
}

// Nobody who is served waits longer because something inside would.
function earlier(under: number | undefined, over: number | undefined): number | undefined {
  if (over !== undefined && typeof over !== 'number') {
    throw new TypeError('context.deadline: expected milliseconds since the epoch')
  }
  if (over === undefined || Number.isNaN(over)) return under
  return under === undefined ? over : Math.min(under, over)
}
