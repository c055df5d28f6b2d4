import { inspect } from 'node:util'

/** Longest value of an access token that is taken, in characters. */
export const maxTokenLength = 16 * 1024

/** RFC 6750 §2.1, b64token: nothing that could end a header line or start another parameter. */
export const tokenSyntax = /^[A-Za-z0-9\-._~+/]+=*$/

/** What an access token is made from. */
export interface AccessTokenFields {
  readonly value: string
  /** As the server wrote it; `bearer` and `dpop` in any case become `Bearer` and `DPoP`. */
  readonly tokenType: string
  /** Milliseconds since the epoch. */
  readonly expiresAt: number
  /** What the server granted, else what was asked for; undefined when neither said anything. */
  readonly scope?: string | undefined
  /** Differs for each token that was ever issued. */
  readonly generation: string
}

/**
 * An access token (RFC 6749 §1.4): opaque, whatever it looks like. Frozen, and shared between callers.
 *
 * `value` is not an own property, so it is in no `util.inspect`, `JSON.stringify`, `String()` or spread of the token.
 */
export interface AccessToken extends AccessTokenFields {
  readonly scope: string | undefined
}

/** The value of the Authorization header for a token: made once per token, since every call needs it. */
export let authorizationOf: (token: AccessToken) => string

class IssuedAccessToken implements AccessToken {
  readonly tokenType: string
  readonly expiresAt: number
  readonly scope: string | undefined
  readonly generation: string
  readonly #value: string
  readonly #authorization: string

  static {
    authorizationOf = (token) =>
      #authorization in token ? token.#authorization : `${canonicalTokenType(token.tokenType)} ${token.value}`
  }

  constructor(fields: AccessTokenFields) {
    this.tokenType = canonicalTokenType(fields.tokenType)
    this.expiresAt = fields.expiresAt
    this.scope = fields.scope
    this.generation = fields.generation
    this.#authorization = `${this.tokenType} ${fields.value}`
    // A part of the other, so that a token takes its room once.
    this.#value = this.#authorization.slice(this.tokenType.length + 1)
    Object.freeze(this)
  }

  get value(): string {
    return this.#value
  }

  get [Symbol.toStringTag](): string {
    return 'AccessToken'
  }

  [inspect.custom](_depth: number, options: object): string {
    const { tokenType, expiresAt, scope, generation } = this
    return `AccessToken ${inspect({ tokenType, expiresAt, scope, generation }, options)}`
  }
}

/** An {@link AccessToken} that keeps its value to itself: for writers of a `TokenSource` or a `TokenCache`. */
export function createAccessToken(fields: AccessTokenFields): AccessToken {
  return new IssuedAccessToken(fields)
}

/** Is this token of no use without a proof of possession (RFC 9449 §7.1)? */
export function isDpopBound({ tokenType }: AccessToken): boolean {
  return tokenType !== 'Bearer' && canonicalTokenType(tokenType) === 'DPoP'
}

// RFC 6749 §5.1: the type is case-insensitive. RFC 6750 §2.1 and RFC 9449 §7.1 give the spelling to send.
function canonicalTokenType(tokenType: string): string {
  const lower = tokenType.toLowerCase()
  if (lower === 'bearer') return 'Bearer'
  if (lower === 'dpop') return 'DPoP'
  return tokenType
}
