import type { CallContext } from './context/call-context.ts'
import { TokenwellError } from './errors.ts'
import type { Grant } from './grants/grant.ts'
import { connectToServer, type ServerConnection } from './http/server-exchange.ts'
import type { MutualTls } from './oauth/client-certificate.ts'
import type { HttpExchange } from './oauth/http-exchange.ts'
import { fetchServerMetadata, type ServerMetadata } from './oauth/server-metadata.ts'
import { notPrepared } from './oauth/token-endpoint.ts'
import { resolveOAuthOptions, type OAuthOptions, type ResolvedOAuthOptions } from './options.ts'
import { isSecureEnough } from './secure-enough.ts'
import { BoundedMap } from './source/bounded-map.ts'
import { CachingSource } from './source/caching-source.ts'
import { createDpopProofs, createTokenRequestProofs } from './source/dpop-proofs.ts'
import { createEndpointSource } from './source/endpoint-source.ts'
import { memoryTokenCache } from './source/memory-token-cache.ts'
import { MetadataSource } from './source/metadata-source.ts'
import { keyOfText, tokenKey, tokenKeyText, type Confirmation, type TokenKeyIdentity } from './source/token-key.ts'
import type { TokenPlan } from './source/token-plan.ts'
import type { TokenSource } from './source/token-source.ts'

const maxFlights = 1000
const maxPlans = 1000

type PlanOf = (context: CallContext | undefined) => TokenPlan

interface Plans {
  readonly planOf: PlanOf
  readonly moved?: (plan: TokenPlan, key: string) => void
}

/**
 * A source of access tokens without an upstream: for other HTTP clients, message brokers, databases.
 * Throws a `TypeError` that names the option by its path when one is wrong.
 */
export function createTokenSource(options: OAuthOptions): TokenSource {
  return tokenSourceFor(resolveOAuthOptions(options, ''), undefined)
}

/** The parts wired together. `upstream` is told in error messages and events. */
export function tokenSourceFor(
  options: ResolvedOAuthOptions,
  upstream: string | undefined,
  connection: ServerConnection = connectToServer(options.dispatcher, options.clock),
  random: () => number = Math.random,
): TokenSource {
  const { clock, clientId, clientAuth, dpop, grant, timeoutMs } = options
  const { mutualTls } = clientAuth
  const checkEndpoint = (url: URL) => {
    if (!isSecureEnough(url, options.allowInsecureRequests)) throw new TypeError('http: is refused but for loopback')
    if (mutualTls !== undefined && url.protocol !== 'https:')
      throw new TypeError('a certificate is only shown over https:')
  }
  const discover = async (signal: AbortSignal) => {
    const exchange =
      mutualTls === undefined ? connection.exchange : await withCertificate(connection.exchange, mutualTls)
    return fetchServerMetadata(locationOf(options), exchange, checkEndpoint, signal)
  }
  const metadata = new MetadataSource({
    clock,
    timeoutMs,
    upstream,
    fetch: (signal) => knownMetadata(options) ?? discover(signal),
  })
  const issue = createEndpointSource({
    upstream,
    clientId,
    clientAuth,
    grant,
    renewal: options.renewal,
    clock,
    random,
    exchange: connection.exchange,
    metadata: (signal) => metadata.get(signal),
    proofs: dpop === undefined ? undefined : createTokenRequestProofs(dpop.key, clock),
    keyWith: (thumbprint, plan) => tokenKey(identityOf(options, thumbprint), plan.parameters),
  })
  return new CachingSource({
    upstream,
    tenant: options.tenant,
    log: options.log,
    clock,
    // What is bound to a key that only this process has is of no use to another one.
    cache: dpop?.generated === true && options.cache.peek === undefined ? memoryTokenCache() : options.cache,
    dpop: dpop === undefined ? undefined : createDpopProofs(dpop.key, clock),
    renewal: options.renewal,
    timeoutMs,
    maxFlights,
    random,
    issue,
    ...(mutualTls !== undefined && {
      keyNow: async ({ parameters }) => tokenKey(identityOf(options, (await mutualTls.read()).thumbprint), parameters),
    }),
    contextual: grant.contextual,
    ...namedFor(upstream, plansFor(options)),
    close: async () => {
      metadata.close()
      await connection.close()
    },
  })
}

function locationOf({ issuer = '', metadataUrl, clientAuth }: ResolvedOAuthOptions) {
  return { issuer, metadataUrl, mutualTls: clientAuth.mutualTls !== undefined }
}

/** The server's certificate may be of an authority that only the client's certificate brings along. */
async function withCertificate(exchange: HttpExchange, mutualTls: MutualTls): Promise<HttpExchange> {
  try {
    const certificate = await mutualTls.read()
    return (request) => exchange({ ...request, certificate })
  } catch (error) {
    throw notPrepared(error)
  }
}

/** With a configured token endpoint there is nothing to discover. */
function knownMetadata({ issuer, tokenEndpoint }: ResolvedOAuthOptions): Promise<ServerMetadata> | undefined {
  if (tokenEndpoint === undefined) return undefined
  return Promise.resolve(Object.freeze({ issuer: issuer ?? tokenEndpoint, token_endpoint: tokenEndpoint }))
}

function identityOf(options: ResolvedOAuthOptions, certificate: string | undefined): TokenKeyIdentity {
  const confirmation: Confirmation[] = []
  if (certificate !== undefined) confirmation.push(['x5t#S256', certificate])
  if (options.dpop !== undefined) confirmation.push(['jkt', options.dpop.key.thumbprint])
  return {
    issuer: options.issuer,
    location: options.tokenEndpoint ?? options.metadataUrl,
    clientId: options.clientId,
    clientAuthMethod: options.clientAuth.method ?? 'custom',
    grantType: options.grant.type,
    confirmation,
    tenant: options.tenant,
  }
}

/** What a context lacks is told with the upstream's name. */
function namedFor(upstream: string | undefined, { planOf, ...plans }: Plans): Plans {
  return {
    ...plans,
    planOf(context) {
      try {
        return planOf(context)
      } catch (error) {
        throw error instanceof TokenwellError ? error.reissue({ upstream }) : error
      }
    },
  }
}

/**
 * Plans by context. With a certificate each stays under the one its token was got with until another token has arrived:
 * reading a new certificate hides no token, and what is under way is found.
 */
function plansFor(options: ResolvedOAuthOptions): Plans {
  const { mutualTls } = options.clientAuth
  const identity = identityOf(options, undefined)
  const planOf = plansWith(identity, options.grant)
  if (mutualTls === undefined) return { planOf }
  const keys = new BoundedMap<string>(maxPlans)
  const plans = new WeakMap<TokenPlan, TokenPlan>()
  return {
    planOf(context) {
      const bare = planOf(context)
      let key = keys.get(bare.key)
      if (key === undefined) {
        key = tokenKey(identityOf(options, mutualTls.thumbprint), bare.parameters)
        keys.set(bare.key, key)
      }
      const before = plans.get(bare)
      if (before?.key === key) return before
      const plan = Object.freeze({ ...bare, key })
      plans.set(bare, plan)
      return plan
    },
    moved: ({ parameters }, key) => keys.set(tokenKey(identity, parameters), key),
  }
}

// What ends a call ends no token request, and a signal may be one that is only made when it is looked at.
const endsCalls: ReadonlySet<string> = new Set(['signal', 'signalAborts', 'deadline', 'ending'])

/** With the context to make credentials of. */
function forContext(plan: TokenPlan, context: CallContext): TokenPlan {
  const kept: Record<string, unknown> = {}
  for (const name of Object.keys(context)) {
    if (!endsCalls.has(name)) kept[name] = context[name as keyof CallContext]
  }
  return Object.freeze({ ...plan, context: Object.freeze(kept) })
}

/** Plans by context: looked up by context object, or made once in all where the context plays no part. */
function plansWith(identity: TokenKeyIdentity, grant: Grant): PlanOf {
  // Hashed once per combination, however many context objects lead to it.
  const byText = new BoundedMap<TokenPlan>(maxPlans)
  const plan = (context: CallContext | undefined): TokenPlan => {
    const parameters = grant.parameters(context)
    const text = tokenKeyText(identity, parameters)
    const before = byText.get(text)
    if (before !== undefined) return before
    const made = Object.freeze({ key: keyOfText(text), parameters })
    byText.set(text, made)
    return made
  }
  const withoutContext = grant.contextual ? undefined : plan(undefined)
  if (withoutContext !== undefined) return () => withoutContext
  const known = new WeakMap<CallContext, TokenPlan>()
  return (context) => {
    if (context === undefined) return plan(undefined)
    const before = known.get(context)
    if (before !== undefined) return before
    const made = grant.credentials === undefined ? plan(context) : forContext(plan(context), context)
    // One that may still change is asked anew each time.
    if (Object.isFrozen(context)) known.set(context, made)
    return made
  }
}
