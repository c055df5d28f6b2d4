import { checkHeaders } from './check-headers.ts'
import { check, checkBoolean, checkMethods, checkMs, checkObject, checkUrl, inPath, isText } from './check-options.ts'
import { longestTimerMs, systemClock, type Clock } from './clock.ts'
import type { CallContext, Log } from './context/call-context.ts'
import { clientCredentials } from './grants/client-credentials.ts'
import type { ExtraParameters, Grant } from './grants/grant.ts'
import type { ClientAuth } from './oauth/client-auth.ts'
import { generateDpopKey, readDpopKey, type DpopKey, type DpopKeyMaterial } from './oauth/dpop-key.ts'
import type { Dispatcher } from './http/dispatcher.ts'
import type { ReplayPolicy } from './http/replayable-body.ts'
import type { RetryPolicy } from './http/retry-policy.ts'
import type { OneOrMany } from './oauth/scope.ts'
import type { RenewalOptions } from './source/lifetime.ts'
import { memoryTokenCache } from './source/memory-token-cache.ts'
import type { TokenCache } from './source/token-cache.ts'
import type { TokenSource } from './source/token-source.ts'

/** How this service gets its tokens: from which authorization server, as which client, for what. */
export interface OAuthOptions {
  /** The client identifier (RFC 6749 §2.2). */
  readonly clientId: string
  /** How the client authenticates: `clientSecretBasic(…)`, `privateKeyJwt(…)`, `tlsClientAuth(…)`… or your own. */
  readonly clientAuth: ClientAuth
  /** The authorization server's issuer identifier; its metadata is found by RFC 8414 and OpenID Connect Discovery, and
   * must state exactly this issuer. Required unless `tokenEndpoint` is given. */
  readonly issuer?: string | undefined
  /** Where the metadata is, if not under the issuer. The issuer in the document must still equal `issuer`. */
  readonly metadataUrl?: string | undefined
  /** The token endpoint, instead of metadata: nothing is discovered. */
  readonly tokenEndpoint?: string | undefined
  /** Short for `grant: clientCredentials({ scope })`; not beside `grant`. */
  readonly scope?: OneOrMany | undefined
  /** Short for `grant: clientCredentials({ resource })` (RFC 8707); not beside `grant`. */
  readonly resource?: OneOrMany | undefined
  /** Short for `grant: clientCredentials({ audience })`; not beside `grant`. */
  readonly audience?: OneOrMany | undefined
  /** Further form parameters; protocol parameters are refused. Not beside `grant`. */
  readonly parameters?: ExtraParameters | undefined
  /** What is asked for. Default `clientCredentials()`. */
  readonly grant?: Grant | undefined
  /**
   * Binds tokens to a key that only this service has, so that they are of no use to whoever else sees one (RFC 9449). `true`: to
   * a key made when the source is, which tokens in a shared cache cannot have. Default false.
   */
  readonly dpop?: boolean | DpopOptions | undefined
  /** Where tokens are kept. Default: in memory, the 1000 most recently used. */
  readonly cache?: TokenCache | undefined
  /** When a token is renewed. The defaults suit tokens that live from seconds to a day. */
  readonly renewal?: RenewalOptions | undefined
  /** One token request with everything that it needs, in milliseconds. Default 10 000. */
  readonly timeoutMs?: number | undefined
  /** undici dispatcher for the authorization server alone, such as a `ProxyAgent`. Never closed by this package. Not beside
   * `tlsClientAuth`, which has connections of its own. */
  readonly dispatcher?: Dispatcher | undefined
  /** Allows `http:` to the authorization server beyond loopback. Default false: secrets would travel in clear text. */
  readonly allowInsecureRequests?: boolean | undefined
  /** Default: the machine's clock. */
  readonly clock?: Clock | undefined
}

/**
 * The options of one tenant, for upstreams whose tenants have clients, servers or scopes of their own. Called when a call names a
 * tenant (`context.tenant`) for the first time, with the tenant alone, since other calls will use what it gives. The tenant's tokens
 * then come from a source of its own, until 1000 others have been used since. What is wrong in the options is a `TypeError` of
 * the call, as is what the function throws, which is how it says that there is no such tenant; neither is remembered.
 */
export type OAuthByTenant = (context: CallContext & { readonly tenant: string }) => OAuthOptions

/**
 * What is sent again: requests that may be repeated (RFC 9110 §9.2.2) and whose body is at hand, when the connection failed before
 * there was a response, or the response says that the API is busy. The pause is what `Retry-After` says (RFC 9110
 * §10.2.3), else random up to 200 ms, doubling, at most 2 s. A response whose pause would outlast `timeoutMs` is given as it came,
 * as is the last one. Each time, the token is the one that is current then.
 */
export interface RetryOptions {
  /** How often a call is sent in all, the first time included. Default 2; 1 to 10. */
  readonly attempts?: number | undefined
  /** Default GET, HEAD, OPTIONS, TRACE, PUT and DELETE. Add `POST` only if the API takes the same one twice for one. */
  readonly methods?: readonly string[] | undefined
  /** Default 429, 502, 503 and 504; 401 is refused: a refused token is `replay`'s affair. */
  readonly statusCodes?: readonly number[] | undefined
}

/** The key that tokens are bound to. */
export interface DpopOptions {
  /** PEM text, JWK, `KeyObject`, extractable `CryptoKey`, or a `CryptoKeyPair`. Default: an `ES256` key of its own. */
  readonly key?: DpopKeyMaterial | undefined
  /** JOSE algorithm. Default: the JWK's `alg`, else the usual one of the key. */
  readonly algorithm?: string | undefined
}

/** A protected API and how to call it. */
export interface UpstreamOptions {
  /** Paths are appended to it: `/invoices` and `invoices` both become `…/v1/invoices`. */
  readonly baseUrl: string | URL
  /** Where the token comes from: options, a function that gives those of a tenant, or a source made by `createTokenSource` or
   * by you. A source that was given is never closed by the upstream. */
  readonly oauth: OAuthOptions | OAuthByTenant | TokenSource
  /** Told in error messages. Default: its name in `createUpstreams`, else none. */
  readonly name?: string | undefined
  /** Further origins that may get the token besides that of `baseUrl`. Default none. */
  readonly origins?: readonly string[] | undefined
  /** Sent with every call to an allowed origin, unless the call sets the same header. */
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** undici dispatcher for the calls, such as a `Pool`, `ProxyAgent` or `MockAgent`. Default: an `Agent` of its own. One
   * that was given is never closed by this package. */
  readonly dispatcher?: Dispatcher | undefined
  /**
   * What is sent again, once and with another token, after the API refused the token: `'replayable'` (default), every request
   * whose body is at hand; `'safe-methods'`, of these GET, HEAD, OPTIONS and TRACE; `'never'`, nothing. Streams and iterators
   * never are.
   */
  readonly replay?: ReplayPolicy | undefined
  /**
   * One deadline in milliseconds for everything until the response's headers are there: token, connection, replay, retries.
   * Then the call fails with an `UpstreamTimeoutError`. How long the body may take is for the call's own signal and undici's
   * `bodyTimeout` to say; each redirect that `fetch` follows is a call of its own. Default 30 000; 1 to 2 147 483 647.
   */
  readonly timeoutMs?: number | undefined
  /** What is sent again after trouble that may pass, or `false` for nothing. Default {@link RetryOptions}'s own. */
  readonly retry?: RetryOptions | false | undefined
  /** Allows `http:` to the API beyond loopback. Default false: tokens would travel in clear text. */
  readonly allowInsecureRequests?: boolean | undefined
  /**
   * Where one line is written for each thing that an operator must act on, and one when it is over; nothing while all is well. Shaped
   * as pino has it; the console will do. Default: the `log` of the context of the first call that meets the trouble, else none.
   */
  readonly log?: Log | undefined
}

/** {@link OAuthOptions} checked and with every default in place. */
export interface ResolvedOAuthOptions {
  /** Whose they are, where tenants have their own. */
  readonly tenant?: string | undefined
  /** That of the upstream. */
  readonly log?: Log | undefined
  readonly issuer: string | undefined
  readonly metadataUrl: string | undefined
  readonly tokenEndpoint: string | undefined
  readonly clientId: string
  readonly clientAuth: ClientAuth
  readonly grant: Grant
  readonly cache: TokenCache
  readonly dpop: { readonly key: DpopKey; readonly generated: boolean } | undefined
  readonly renewal: RenewalOptions
  readonly timeoutMs: number
  readonly dispatcher: Dispatcher | undefined
  readonly allowInsecureRequests: boolean
  readonly clock: Clock
}

/** {@link UpstreamOptions} checked and with every default in place; `oauth` is left to the token source. */
export interface ResolvedUpstreamOptions {
  readonly baseUrl: URL
  readonly origins: readonly string[]
  readonly headers: Readonly<Record<string, string>>
  readonly dispatcher: Dispatcher | undefined
  readonly replay: ReplayPolicy
  readonly retry: RetryPolicy | undefined
  readonly timeoutMs: number
  readonly log: Log | undefined
}

const oauthOptionNames = [
  'clientId',
  'clientAuth',
  'issuer',
  'metadataUrl',
  'tokenEndpoint',
  'scope',
  'resource',
  'audience',
  'parameters',
  'grant',
  'dpop',
  'cache',
  'renewal',
  'timeoutMs',
  'dispatcher',
  'allowInsecureRequests',
  'clock',
]
const upstreamOptionNames = [
  'baseUrl',
  'oauth',
  'name',
  'origins',
  'headers',
  'dispatcher',
  'replay',
  'retry',
  'timeoutMs',
  'allowInsecureRequests',
  'log',
]
const retryOptionNames = ['attempts', 'methods', 'statusCodes']
const renewalOptionNames = [
  'renewBeforeMs',
  'jitter',
  'slackMs',
  'defaultLifetimeMs',
  'maxLifetimeMs',
  'staleIfErrorMs',
  'keepWarm',
  'maxFailurePauseMs',
]

/** Checks {@link OAuthOptions}. Throws a `TypeError` that names the option by its path and never tells its value. */
export function resolveOAuthOptions(options: OAuthOptions, path: string): ResolvedOAuthOptions {
  const at = (name: string) => (path === '' ? name : `${path}.${name}`)
  checkObject(options, path === '' ? 'options' : path, oauthOptionNames)
  const { issuer, metadataUrl, tokenEndpoint, clientId, clientAuth, grant, allowInsecureRequests = false } = options
  for (const name of ['issuer', 'metadataUrl', 'tokenEndpoint'] as const) {
    if (options[name] !== undefined) checkUrl(options[name], at(name), allowInsecureRequests)
  }
  check(
    metadataUrl === undefined || issuer !== undefined,
    at('issuer'),
    'must be given with metadataUrl: the issuer that the metadata states',
  )
  check(issuer !== undefined || tokenEndpoint !== undefined, at('issuer'), 'this or tokenEndpoint must be given')
  check(metadataUrl === undefined || tokenEndpoint === undefined, at('metadataUrl'), 'not beside tokenEndpoint')
  checkBoolean(allowInsecureRequests, at('allowInsecureRequests'))
  check(isText(clientId), at('clientId'), 'expected a non-empty string')
  check(
    typeof clientAuth === 'function',
    at('clientAuth'),
    'expected a client authentication, such as clientSecretBasic(secret)',
  )
  check(
    clientAuth.needsIssuer !== true || issuer !== undefined,
    at('issuer'),
    'must be given: the client assertion is addressed to it',
  )
  if (clientAuth.mutualTls !== undefined) {
    check(
      options.dispatcher === undefined,
      at('dispatcher'),
      'not beside a clientAuth that shows a certificate, such as tlsClientAuth: its connections are its own',
    )
    check(
      tokenEndpoint === undefined || new URL(tokenEndpoint).protocol === 'https:',
      at('tokenEndpoint'),
      'expected an https: URL: the clientAuth shows a certificate',
    )
  }
  const { scope, resource, audience, parameters } = options
  for (const name of ['scope', 'resource', 'audience', 'parameters'] as const) {
    check(grant === undefined || options[name] === undefined, at(name), 'not beside grant; give it to the grant')
  }
  check(
    grant === undefined || typeof grant.parameters === 'function',
    at('grant'),
    'expected a grant, such as clientCredentials()',
  )
  check(
    grant?.needsIssuer !== true || issuer !== undefined,
    at('issuer'),
    "must be given: the grant's assertion is addressed to it",
  )
  const { cache, clock, timeoutMs = 10_000, dispatcher } = options
  checkTimeout(timeoutMs, at('timeoutMs'))
  checkMethods(cache, ['get', 'set', 'delete'], at('cache'))
  checkMethods(clock, ['now', 'monotonic', 'setTimer'], at('clock'))
  checkMethods(dispatcher, ['dispatch'], at('dispatcher'))
  return Object.freeze({
    issuer,
    metadataUrl,
    tokenEndpoint,
    clientId,
    clientAuth,
    timeoutMs,
    dispatcher,
    allowInsecureRequests,
    grant: grant ?? inPath(path, () => clientCredentials({ scope, resource, audience, parameters })),
    cache: cache ?? memoryTokenCache(),
    dpop: resolveDpop(options.dpop, at('dpop')),
    renewal: resolveRenewal(options.renewal, at('renewal')),
    clock: clock ?? systemClock,
  })
}

/** Checks {@link UpstreamOptions} but for `oauth`. Throws a `TypeError` that names the option by its path. */
export function resolveUpstreamOptions(options: UpstreamOptions, path: string): ResolvedUpstreamOptions {
  const at = (name: string) => (path === '' ? name : `${path}.${name}`)
  checkObject(options, path === '' ? 'options' : path, upstreamOptionNames)
  const { origins = [], headers = {}, dispatcher, replay = 'replayable', allowInsecureRequests = false, name } = options
  checkBoolean(allowInsecureRequests, at('allowInsecureRequests'))
  const baseUrl = checkUrl(
    options.baseUrl instanceof URL ? options.baseUrl.href : options.baseUrl,
    at('baseUrl'),
    allowInsecureRequests,
  )
  check(
    baseUrl.search === '' && baseUrl.hash === '',
    at('baseUrl'),
    'expected no query and no fragment: paths are appended to it',
  )
  check(name === undefined || isText(name), at('name'), 'expected a non-empty string')
  check(Array.isArray(origins), at('origins'), 'expected an array of origins')
  const extra = origins.map((origin, index) => {
    const url = checkUrl(origin, at(`origins[${index}]`), allowInsecureRequests)
    check(
      url.pathname === '/' && url.search === '' && url.hash === '',
      at(`origins[${index}]`),
      'expected scheme, host and port alone',
    )
    return url.origin
  })
  const policies = ['replayable', 'safe-methods', 'never']
  check(policies.includes(replay), at('replay'), `expected one of ${policies.join(', ')}`)
  const { timeoutMs = 30_000, retry = {}, log } = options
  checkTimeout(timeoutMs, at('timeoutMs'))
  checkMethods(dispatcher, ['dispatch'], at('dispatcher'))
  checkMethods(log, ['debug', 'info', 'warn', 'error'], at('log'))
  check(
    (options.oauth !== null && typeof options.oauth === 'object') || typeof options.oauth === 'function',
    at('oauth'),
    'expected OAuth options, a function that gives them, or a token source',
  )
  return Object.freeze({
    baseUrl,
    origins: [baseUrl.origin, ...extra],
    headers: checkHeaders(headers, at('headers')),
    dispatcher,
    replay,
    retry: retry === false ? undefined : resolveRetry(retry, at('retry')),
    timeoutMs,
    log,
  })
}

function resolveDpop(dpop: OAuthOptions['dpop'], path: string): ResolvedOAuthOptions['dpop'] {
  if (dpop === undefined || dpop === false) return undefined
  if (dpop === true) return { key: generateDpopKey(), generated: true }
  checkObject(dpop, path, ['key', 'algorithm'])
  check(
    dpop.key !== undefined || dpop.algorithm === undefined || dpop.algorithm === 'ES256',
    `${path}.algorithm`,
    'expected ES256, or a key beside it',
  )
  if (dpop.key === undefined) return { key: generateDpopKey(), generated: true }
  return { key: readDpopKey(dpop.key, dpop.algorithm, path), generated: false }
}

function checkTimeout(timeoutMs: number, path: string): void {
  checkMs(timeoutMs, path, 1)
  check(timeoutMs <= longestTimerMs, path, `expected at most ${longestTimerMs} milliseconds`)
}

function resolveRetry(retry: RetryOptions, path: string): RetryPolicy {
  checkObject(retry, path, retryOptionNames)
  const { attempts = 2, methods = ['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE'] } = retry
  const { statusCodes = [429, 502, 503, 504] } = retry
  check(
    Number.isInteger(attempts) && attempts >= 1 && attempts <= 10,
    `${path}.attempts`,
    'expected a whole number from 1 to 10',
  )
  check(Array.isArray(methods) && methods.every(isText), `${path}.methods`, 'expected an array of methods')
  const isStatus = (code: unknown) =>
    Number.isInteger(code) && Number(code) >= 400 && Number(code) <= 599 && code !== 401
  check(
    Array.isArray(statusCodes) && statusCodes.every(isStatus),
    `${path}.statusCodes`,
    'expected an array of statuses from 400 to 599 without 401',
  )
  return {
    attempts,
    methods: new Set(methods.map((method) => method.toUpperCase())),
    statusCodes: new Set(statusCodes),
  }
}

const durations = [
  'renewBeforeMs',
  'slackMs',
  'defaultLifetimeMs',
  'maxLifetimeMs',
  'staleIfErrorMs',
  'maxFailurePauseMs',
] as const

function resolveRenewal(renewal: RenewalOptions | undefined, path: string): RenewalOptions {
  if (renewal === undefined) return Object.freeze({})
  checkObject(renewal, path, renewalOptionNames)
  for (const name of durations) {
    if (renewal[name] !== undefined) checkMs(renewal[name], `${path}.${name}`, name.endsWith('LifetimeMs') ? 1 : 0)
  }
  const { jitter = 0 } = renewal
  check(typeof jitter === 'number' && jitter >= 0 && jitter <= 1, `${path}.jitter`, 'expected a number from 0 to 1')
  const { keepWarm = false } = renewal
  checkBoolean(keepWarm, `${path}.keepWarm`)
  return Object.freeze({ ...renewal })
}
