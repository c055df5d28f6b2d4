/** What a {@link TokenwellError} is made of. */
export interface TokenwellErrorDetails {
  /** The upstream's name, told in the message. */
  readonly upstream?: string | undefined
  /** What went wrong below; already free of secrets. */
  readonly cause?: unknown
  /** HTTP status for a server that does not handle the error. */
  readonly statusCode?: number | undefined
  /** Milliseconds since the epoch before which another attempt is pointless. */
  readonly retryAt?: number | undefined
  /** True when no request was made. */
  readonly fromCache?: boolean | undefined
}

const isTokenwellError = Symbol.for('tokenwell.error')

/**
 * Every error that this package makes on purpose, except the `TypeError` for wrong options and the caller's own
 * `signal.reason`.
 *
 * `message` names the upstream and nothing internal, since frameworks show it to callers; what happened is in `cause`.
 * Not thrown for an HTTP error status of the protected API: that is a response.
 */
export abstract class TokenwellError extends Error {
  /** Stable and meant for programs: `ERR_TOKENWELL_…`. */
  abstract readonly code: string
  /**
   * What a server should answer its caller if nobody handles this error: 502 when the authorization server refused this
   * service, 503 when it or the API could not be reached, 504 when the API did not answer in time, 4xx when its caller left
   * something out.
   */
  readonly statusCode: number
  /** The same, by the other name that frameworks look for. Never the status of somebody else's answer. */
  readonly status: number
  /** Tells frameworks that follow http-errors that `message` may be shown to the caller. */
  readonly expose = true
  /** Name of the upstream, where one is known. */
  readonly upstream: string | undefined
  /** Milliseconds since the epoch before which another attempt is pointless, when that is known. */
  readonly retryAt: number | undefined
  /** True when no request was made for this call, because the same one failed a moment ago. */
  readonly fromCache: boolean
  readonly #problem: string
  readonly #details: TokenwellErrorDetails

  constructor(problem: string, details: TokenwellErrorDetails, statusCode: number) {
    const about = details.upstream === undefined ? problem : `Upstream ${JSON.stringify(details.upstream)}: ${problem}`
    super(about, details.cause === undefined ? undefined : { cause: details.cause })
    this.statusCode = details.statusCode ?? statusCode
    this.status = this.statusCode
    this.upstream = details.upstream
    this.retryAt = details.retryAt
    this.fromCache = details.fromCache ?? false
    this.#problem = problem
    this.#details = details
  }

  override get name(): string {
    return this.constructor.name
  }

  /**
   * Headers for that answer, which Express, Fastify and Koa send by themselves: `retry-after` in seconds (RFC 9110
   * §10.2.3) while `retryAt` is still to come, else undefined. At most a minute: no failure keeps this package from asking again
   * for longer, whatever its server said.
   */
  get headers(): Readonly<Record<string, string>> | undefined {
    const seconds = this.retryAt === undefined ? 0 : Math.ceil((this.retryAt - Date.now()) / 1000)
    return seconds > 0 ? { 'retry-after': String(Math.min(seconds, 60)) } : undefined
  }

  /** Copies of this package loaded twice (`import` and `require`, two versions) know each other's errors. */
  get [isTokenwellError](): true {
    return true
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    if (this !== TokenwellError) return Function.prototype[Symbol.hasInstance].call(this, value)
    return typeof value === 'object' && value !== null && isTokenwellError in value
  }

  /**
   * The same failure as a new object, for one more caller that waited for it: a stack and a `cause` of its own, so that
   * nobody sees what another caller added.
   */
  reissue(changes: TokenwellErrorDetails = {}): this {
    const Same = this.constructor as new (problem: string, details: TokenwellErrorDetails) => this
    return new Same(this.#problem, { ...this.#details, cause: copyOf(this.cause), ...changes })
  }

  /** For logs that serialize errors: never more than this. */
  toJSON(): Record<string, unknown> {
    const { name, code, message, statusCode, retryAt } = this
    return { name, code, message, statusCode, retryAt }
  }
}

function copyOf(cause: unknown): unknown {
  if (!(cause instanceof Error)) return cause
  const { message, name, stack } = cause
  const copy = new Error(message, cause.cause === undefined ? undefined : { cause: copyOf(cause.cause) })
  Object.assign(copy, cause)
  Object.defineProperties(copy, {
    name: { value: name, configurable: true, writable: true },
    stack: { value: stack, configurable: true, writable: true },
  })
  return copy
}

/** Details of a {@link TokenRequestError}. */
export interface TokenRequestErrorDetails extends TokenwellErrorDetails {
  readonly error?: string | undefined
  readonly errorDescription?: string | undefined
  readonly errorUri?: string | undefined
  readonly tokenEndpointStatus?: number | undefined
  readonly parameters?: Readonly<Record<string, string>>
}

/** The authorization server answered the token request with an error (RFC 6749 §5.2), or with an error status alone. */
export class TokenRequestError extends TokenwellError {
  readonly code = 'ERR_TOKENWELL_TOKEN_REQUEST'
  /**
   * OAuth error code, such as `invalid_client`; undefined when the answer had none. Without an answer, `invalid_grant`: a code or a
   * refresh token is known to be used up, so that nothing was sent.
   */
  readonly error: string | undefined
  /** The server's own words: secrets that were sent are cut out of it, and it is at most 500 characters long. */
  readonly errorDescription: string | undefined
  readonly errorUri: string | undefined
  /** HTTP status of the token endpoint's answer; undefined when none was asked for. */
  readonly tokenEndpointStatus: number | undefined
  /** Further members of the error answer that are short strings or numbers, such as Oracle's `ecid`. */
  readonly parameters: Readonly<Record<string, string>>

  constructor(problem: string, details: TokenRequestErrorDetails) {
    super(problem, details, 502)
    this.error = details.error
    this.errorDescription = details.errorDescription
    this.errorUri = details.errorUri
    this.tokenEndpointStatus = details.tokenEndpointStatus
    this.parameters = Object.freeze({ ...details.parameters })
  }

  override toJSON(): Record<string, unknown> {
    return { ...super.toJSON(), error: this.error, tokenEndpointStatus: this.tokenEndpointStatus }
  }
}

/** Details of a {@link TokenResponseError}. */
export interface TokenResponseErrorDetails extends TokenwellErrorDetails {
  readonly retryable?: boolean
}

/** The token endpoint answered with success, but not with an access token that may be used (RFC 6749 §5.1). */
export class TokenResponseError extends TokenwellError {
  readonly code = 'ERR_TOKENWELL_TOKEN_RESPONSE'
  /** False when the answer was whole, and asking again will bring the same: a token of a type that was not asked for. */
  readonly retryable: boolean

  constructor(problem: string, details: TokenResponseErrorDetails) {
    super(problem, details, 502)
    this.retryable = details.retryable ?? true
  }
}

/** No answer came from the token endpoint in time: connection refused or reset, TLS failure, deadline. */
export class TokenEndpointUnreachableError extends TokenwellError {
  readonly code = 'ERR_TOKENWELL_TOKEN_ENDPOINT_UNREACHABLE'

  constructor(problem: string, details: TokenwellErrorDetails) {
    super(problem, details, 503)
  }
}

/** The authorization server's metadata could not be had, or is not that of the configured issuer (RFC 8414 §3.3). */
export class ServerMetadataError extends TokenwellError {
  readonly code = 'ERR_TOKENWELL_SERVER_METADATA'

  constructor(problem: string, details: TokenwellErrorDetails) {
    super(problem, details, 502)
  }
}

/** A call asked for an origin that may not get this upstream's token. Nothing was sent. */
export class OriginNotAllowedError extends TokenwellError {
  readonly code = 'ERR_TOKENWELL_ORIGIN'

  constructor(problem: string, details: TokenwellErrorDetails) {
    super(problem, details, 500)
  }
}

/** A path would have left the upstream's base URL. Nothing was sent. 400, since such a path usually comes from a caller. */
export class PathNotAllowedError extends TokenwellError {
  readonly code = 'ERR_TOKENWELL_PATH'

  constructor(problem: string, details: TokenwellErrorDetails) {
    super(problem, details, 400)
  }
}

/**
 * A call had no response within the upstream's `timeoutMs`, or had not ended by the deadline of its context. Whether the API acted
 * on it is not known. `timeoutMs` does not cover the response's body; the deadline does.
 */
export class UpstreamTimeoutError extends TokenwellError {
  readonly code = 'ERR_TOKENWELL_TIMEOUT'

  constructor(problem: string, details: TokenwellErrorDetails) {
    super(problem, details, 504)
  }
}

const unreachable = 'ERR_TOKENWELL_UNREACHABLE'

/**
 * No response came from the API: it could not be found or connected to, the connection broke, or what came was not HTTP.
 * `cause` is what undici said, and its `code`, such as `ECONNREFUSED`, tells why. Whether the API acted on the call is not
 * known. 503; 504 when its connection or undici's `headersTimeout` took too long; 502 when its certificate is not to be
 * trusted or what came was not HTTP.
 *
 * What `fetch` rejects with stays `TypeError: fetch failed` with the same `cause`; `instanceof` knows it as one of these too.
 * Not thrown by `dispatcher`, whose errors are undici's own, nor for a response that breaks off.
 */
export class UpstreamUnreachableError extends TokenwellError {
  readonly code = unreachable

  constructor(problem: string, details: TokenwellErrorDetails) {
    super(problem, details, 503)
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    if (this !== UpstreamUnreachableError) return Function.prototype[Symbol.hasInstance].call(this, value)
    return value instanceof TokenwellError && value.code === unreachable
  }
}

/**
 * The `TypeError` of `fetch`, which its callers look for, with all that an {@link UpstreamUnreachableError} tells besides its
 * message.
 */
export function fetchFailed(failure: Error, same: UpstreamUnreachableError): Error {
  const { code, statusCode, status, expose, upstream, retryAt, fromCache } = same
  const hidden = (value: unknown) => ({ value, configurable: true, writable: true })
  Object.assign(failure, { code, statusCode, status, expose, upstream, retryAt, fromCache })
  return Object.defineProperties(failure, {
    cause: hidden(same.cause),
    [isTokenwellError]: hidden(true),
    toJSON: hidden(() => same.toJSON()),
    reissue: hidden((changes?: TokenwellErrorDetails) => same.reissue(changes)),
  })
}

/** More token requests are under way than allowed. Nothing was sent. */
export class OverloadError extends TokenwellError {
  readonly code = 'ERR_TOKENWELL_OVERLOAD'

  constructor(problem: string, details: TokenwellErrorDetails) {
    super(problem, details, 503)
  }
}

/** The upstream, or its token source, was closed. */
export class UpstreamClosedError extends TokenwellError {
  readonly code = 'ERR_TOKENWELL_CLOSED'

  constructor(problem: string, details: TokenwellErrorDetails) {
    super(problem, details, 503)
  }
}

/** Details of a {@link CallContextError}. */
export interface CallContextErrorDetails extends TokenwellErrorDetails {
  readonly lacks: 'subjectToken' | 'tenant'
  readonly hasContext: boolean
}

/**
 * Which token a call needs depends on its context, and that lacks what decides. Nothing was sent.
 *
 * A call with a context serves somebody, who is to blame: 401 if there is no `subjectToken`, and 400 if there is no `tenant`. A call
 * without any context was made outside of `run` and `with`, or an adapter is missing: 500.
 */
export class CallContextError extends TokenwellError {
  readonly code = 'ERR_TOKENWELL_CONTEXT'
  /** The member of the `CallContext` that was needed. */
  readonly lacks: 'subjectToken' | 'tenant'

  constructor(problem: string, details: CallContextErrorDetails) {
    const { lacks, hasContext } = details
    const cause =
      details.cause ?? new Error(hasContext ? `no ${lacks} in the call's context` : 'the call has no context')
    super(problem, { ...details, cause }, hasContext ? (lacks === 'subjectToken' ? 401 : 400) : 500)
    this.lacks = lacks
  }

  /** Headers for that answer: a 401 needs a challenge (RFC 9110 §15.5.2), and Express and Fastify send it by themselves. */
  override get headers(): Readonly<Record<string, string>> | undefined {
    return this.statusCode === 401 ? { 'www-authenticate': 'Bearer' } : undefined
  }
}
