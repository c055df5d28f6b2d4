import { decodeJwt } from 'jose'
import type { CallContext } from '../context/call-context.ts'
import { CallContextError } from '../errors.ts'
import { accessToken, isNoAccessToken } from '../oauth/token-type-identifiers.ts'
import { accessParameters, valueIn, type AccessOptions, type Contextual } from './access-options.ts'
import type { Grant, GrantCredentials, GrantRequest } from './grant.ts'
import { assertSameSubject, sha256 } from './subject.ts'

/** Options of {@link tokenExchange}. Functions must give the same for the same context, whatever else goes on. */
export interface TokenExchangeOptions extends AccessOptions {
  /**
   * In whose name the token is asked for: `(context) => context.subjectToken`, or a text. A function that gives none makes the
   * call fail with a {@link CallContextError} before anything is sent.
   */
  readonly subjectToken: string | ((context: CallContext) => string | undefined)
  /** What kind of token that is (RFC 8693 §3). Default `urn:ietf:params:oauth:token-type:access_token`. */
  readonly subjectTokenType?: Contextual<string> | undefined
  /**
   * When the subject token ends: no token that was got with it is used beyond that, or renewed before. `'jwt'`: its `exp` claim, as
   * far as it can be read as a JWT. A function gives milliseconds since the epoch, or undefined if that is not known. Default:
   * not known, since access tokens are opaque (RFC 6749 §1.4); the token that was got lives as long as its server says.
   */
  readonly subjectTokenExpiresAt?: 'jwt' | ((context: CallContext) => number | undefined) | undefined
  /** Who acts in that name (RFC 8693 §1.1, delegation). Default: nobody is named. */
  readonly actorToken?: Contextual<string> | undefined
  /** What kind of token that is. Default, with an actor token: `urn:ietf:params:oauth:token-type:access_token`. */
  readonly actorTokenType?: Contextual<string> | undefined
  /** What kind of token is asked for. Default: as the server likes. Types of tokens that no API takes are refused. */
  readonly requestedTokenType?: Contextual<string> | undefined
}

/** What is exchanged for what, for one context. */
interface Exchange {
  readonly subjectToken: string
  readonly subjectTokenType: string
  readonly actorToken: string | undefined
  readonly actorTokenType: string | undefined
  readonly requestedTokenType: string | undefined
}

// Told from a context that has no subject token: there an inbound caller sent none, here there is no inbound caller.
const noContext: CallContext = Object.freeze({})

/**
 * Token exchange (RFC 8693 §2.1): the service calls on behalf of whoever called it, with a token for that which is got for the
 * caller's own. One exchange serves all calls with the same subject token, and no other; the token key has only a hash of it, and
 * of the actor token.
 *
 * Throws a `TypeError` for a wrong option. An answer with something else than an access token (`token_type` `N_A`, RFC 8693
 * §2.2.1) fails the call with a `TokenResponseError`.
 */
export function tokenExchange(options: TokenExchangeOptions): Grant {
  checkOptions(options)
  const { scope, resource, audience, authorizationDetails, parameters, subjectTokenExpiresAt } = options
  const keyIn = (context: CallContext) => keyOf(exchangeIn(options, context))
  const access = accessParameters(
    { scope, resource, audience, authorizationDetails, parameters },
    isContextual(options) ? keyIn : keyIn(noContext),
  )
  return Object.freeze({
    type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    contextual: access.contextual,
    parameters: (context = noContext) => access.parameters(context),
    credentials: ({ context = noContext, parameters: planned }: GrantRequest): GrantCredentials => {
      const exchange = exchangeIn(options, context)
      assertSameSubject('tokenExchange', planned.subject, keyOf(exchange))
      return { parameters: formOf(exchange), endsAt: endOf(subjectTokenExpiresAt, exchange.subjectToken, context) }
    },
  } satisfies Grant)
}

function exchangeIn(options: TokenExchangeOptions, context: CallContext): Exchange {
  const { subjectToken: source, subjectTokenType = accessToken, actorToken, actorTokenType = accessToken } = options
  const subjectToken = valueIn<string | undefined>(source, context)
  if (subjectToken === undefined || subjectToken === null || subjectToken === '') throw missing(context)
  const required = (option: keyof TokenExchangeOptions, value: Contextual<string>) =>
    text(option, valueIn(value, context))
  return {
    subjectToken: text('subjectToken', subjectToken),
    subjectTokenType: required('subjectTokenType', subjectTokenType),
    // One that is named and then missing would ask for another thing: impersonation in place of delegation.
    actorToken: actorToken === undefined ? undefined : required('actorToken', actorToken),
    actorTokenType: actorToken === undefined ? undefined : required('actorTokenType', actorTokenType),
    requestedTokenType:
      options.requestedTokenType === undefined ? undefined : required('requestedTokenType', options.requestedTokenType),
  }
}

function missing(context: CallContext): CallContextError {
  return new CallContextError('it is called on behalf of a caller, and there is no token of one', {
    lacks: 'subjectToken',
    hasContext: context !== noContext,
  })
}

/** What selects the token. Positions are fixed; what may be missing is never empty otherwise. */
function keyOf(exchange: Exchange): readonly string[] {
  const { subjectToken, subjectTokenType, actorToken, actorTokenType = '', requestedTokenType = '' } = exchange
  const actor = actorToken === undefined ? '' : sha256(actorToken)
  return ['exchange', subjectTokenType, sha256(subjectToken), actorTokenType, actor, requestedTokenType]
}

function formOf(exchange: Exchange): GrantCredentials['parameters'] {
  const { subjectToken, subjectTokenType, actorToken, actorTokenType, requestedTokenType } = exchange
  const form: readonly (readonly [string, string | undefined])[] = [
    ['subject_token', subjectToken],
    ['subject_token_type', subjectTokenType],
    ['actor_token', actorToken],
    ['actor_token_type', actorTokenType],
    ['requested_token_type', requestedTokenType],
  ]
  return form.filter((pair): pair is readonly [string, string] => pair[1] !== undefined)
}

function endOf(
  expiresAt: TokenExchangeOptions['subjectTokenExpiresAt'],
  subjectToken: string,
  context: CallContext,
): number | undefined {
  const end = expiresAt === 'jwt' ? jwtEnd(subjectToken) : expiresAt?.(context)
  if (end === undefined || Number.isFinite(end)) return end
  throw new TypeError('tokenExchange: subjectTokenExpiresAt: the function must give milliseconds or undefined')
}

// Not verified: it only makes a life shorter, and whoever gave the token could have given none.
function jwtEnd(token: string): number | undefined {
  try {
    const { exp } = decodeJwt(token)
    return Number.isFinite(exp) ? Number(exp) * 1000 : undefined
  } catch {
    return undefined
  }
}

const texts = ['subjectToken', 'subjectTokenType', 'actorToken', 'actorTokenType', 'requestedTokenType'] as const

function isContextual(options: TokenExchangeOptions): boolean {
  return texts.some((option) => typeof options[option] === 'function')
}

function checkOptions(options: TokenExchangeOptions): void {
  const { actorToken, actorTokenType, requestedTokenType, subjectTokenExpiresAt: end } = options
  for (const option of texts) {
    const value = options[option]
    if (typeof value !== 'function' && (value !== undefined || option === 'subjectToken')) text(option, value)
  }
  // RFC 8693 §2.1: actor_token_type must not be there without actor_token.
  if (actorToken === undefined && actorTokenType !== undefined) {
    throw new TypeError('tokenExchange: actorTokenType: not without actorToken')
  }
  if (typeof requestedTokenType === 'string' && isNoAccessToken(requestedTokenType)) {
    throw new TypeError('tokenExchange: requestedTokenType: expected a type of token that an API takes')
  }
  if (end !== undefined && end !== 'jwt' && typeof end !== 'function') {
    throw new TypeError("tokenExchange: subjectTokenExpiresAt: expected 'jwt' or a function")
  }
}

function text(option: keyof TokenExchangeOptions, value: unknown): string {
  if (typeof value === 'string' && value.length > 0) return value
  throw new TypeError(
    `tokenExchange: ${option}: expected a non-empty string, or a function of the context that gives one`,
  )
}
