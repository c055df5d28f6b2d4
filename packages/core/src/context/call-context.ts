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
  /** The logger of whoever is served: for functions that are given the context, and for what the upstream's own `log` would get. */
  readonly log?: Log | undefined
}

/** A context as calls have it: checked, complete, and not to be changed. Made for each inbound request, so a class. */
export class MergedContext implements CallContext {
  readonly headers: Readonly<Record<string, string>>
  readonly deadline: number | undefined
  /** What `signal` is made of when somebody asks for it. */
  readonly ending: Ending | undefined
  readonly signalAborts: CallContext['signalAborts']
  readonly subjectToken: string | undefined
  readonly tenant: string | undefined
  readonly log: Log | undefined

  constructor(
    parts: Omit<CallContext, 'signal'>,
    headers: Readonly<Record<string, string>>,
    ending: Ending | undefined,
  ) {
    this.headers = headers
    this.deadline = parts.deadline
    this.ending = ending
    this.signalAborts = parts.signalAborts
    this.subjectToken = parts.subjectToken
    this.tenant = parts.tenant
    this.log = parts.log
    Object.freeze(this)
  }

  get signal(): AbortSignal | undefined {
    return this.ending instanceof HangUp ? this.ending.signal : (this.ending as AbortSignal | undefined)
  }
}

const nothing: MergedContext = new MergedContext({}, Object.freeze({}), undefined)

/** One context on top of another: what `over` says wins, header by header; its signal takes the place of the other. */
export function mergeContexts(before: MergedContext | undefined, over: CallContext): MergedContext {
  if (before === undefined && over instanceof MergedContext) return over
  const under = before ?? nothing
  const ownEnding = endingOf(over)
  const parts = {
    deadline: earlier(under.deadline, over.deadline),
    // What an earlier signal was meant for does not bind a new one.
    signalAborts: over.signalAborts ?? (ownEnding === undefined ? under.signalAborts : undefined),
    subjectToken: over.subjectToken ?? under.subjectToken,
    tenant: over.tenant ?? under.tenant,
    log: over.log ?? under.log,
  }
  const headers =
    over.headers === undefined ? under.headers : { ...under.headers, ...checkHeaders(over.headers, 'context.headers') }
  return new MergedContext(parts, headers, ownEnding ?? under.ending)
}

// A context that was copied may have been given a signal of its own, besides what another's was to be made of.
function endingOf(context: CallContext & Partial<Pick<MergedContext, 'ending'>>): Ending | undefined {
  const { ending } = context
  if (!(ending instanceof HangUp)) return context.signal ?? ending
  const own = context instanceof MergedContext ? undefined : context.signal
  return own === undefined || own === ending.made ? ending : own
}

// Nobody who is served waits longer because something inside would.
function earlier(under: number | undefined, over: number | undefined): number | undefined {
  if (over !== undefined && typeof over !== 'number') {
    throw new TypeError('context.deadline: expected milliseconds since the epoch')
  }
  if (over === undefined || Number.isNaN(over)) return under
  return under === undefined ? over : Math.min(under, over)
}
