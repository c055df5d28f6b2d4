import type { CallContext } from './context/call-context.ts'
import type { Grant } from './grants/grant.ts'
import { connectToServer, type ServerConnection } from './http/server-exchange.ts'
import { fetchServerMetadata, type ServerMetadata } from './oauth/server-metadata.ts'
import { resolveOAuthOptions, type OAuthOptions, type ResolvedOAuthOptions } from './options.ts'
import { isSecureEnough } from './secure-enough.ts'
import { BoundedMap } from './source/bounded-map.ts'
import { CachingSource, type TokenPlan } from './source/caching-source.ts'
import { createEndpointSource } from './source/endpoint-source.ts'
import { MetadataSource } from './source/metadata-source.ts'
import { tokenKey, tokenKeyText } from './source/token-key.ts'
import type { TokenSource } from './source/token-source.ts'

const maxFlights = 1000
const maxPlans = 1000

/**
 * A source of access tokens without an upstream: for other HTTP clients, message brokers, databases.
 * Throws a `TypeError` that names the option by its path when one is wrong.
 */
export function createTokenSource(options: OAuthOptions): TokenSource {
  return tokenSourceFor(resolveOAuthOptions(options, ''), undefined)
}

/** The parts wired together. `upstream` is told in error messages. */
export function tokenSourceFor(
  options: ResolvedOAuthOptions,
  upstream: string | undefined,
  connection: ServerConnection = connectToServer(options.dispatcher),
  random: () => number = Math.random,
): TokenSource {
  const { clock, clientId, clientAuth, grant, timeoutMs } = options
  const checkEndpoint = (url: URL) => {
    if (!isSecureEnough(url, options.allowInsecureRequests)) throw new TypeError('http: is refused but for loopback')
  }
  const metadata = new MetadataSource({
    clock,
    timeoutMs,
    upstream,
    fetch: (signal) =>
      knownMetadata(options) ?? fetchServerMetadata(locationOf(options), connection.exchange, checkEndpoint, signal),
  })
  const issue = createEndpointSource({
    clientId,
    clientAuth,
    grantType: grant.type,
    renewal: options.renewal,
    clock,
    random,
    exchange: connection.exchange,
    metadata: (signal) => metadata.get(signal),
  })
  return new CachingSource({
    upstream,
    clock,
    cache: options.cache,
    renewal: options.renewal,
    timeoutMs,
    maxFlights,
    random,
    issue,
    planOf: plansFor(options, grant),
    close: async () => {
      metadata.close()
      await connection.close()
    },
  })
}

function locationOf({ issuer = '', metadataUrl }: ResolvedOAuthOptions) {
  return { issuer, metadataUrl }
}

/** With a configured token endpoint there is nothing to discover. */
function knownMetadata({ issuer, tokenEndpoint }: ResolvedOAuthOptions): Promise<ServerMetadata> | undefined {
  if (tokenEndpoint === undefined) return undefined
  return Promise.resolve(Object.freeze({ issuer: issuer ?? tokenEndpoint, token_endpoint: tokenEndpoint }))
}

/** Plans by context: looked up by context object, or made once in all where the context plays no part. */
function plansFor(options: ResolvedOAuthOptions, grant: Grant): (context: CallContext | undefined) => TokenPlan {
  const identity = {
    issuer: options.issuer,
    location: options.tokenEndpoint ?? options.metadataUrl,
    clientId: options.clientId,
    clientAuthMethod: options.clientAuth.method ?? 'custom',
    grantType: grant.type,
  }
  // Hashed once per combination, however many context objects lead to it.
  const byText = new BoundedMap<TokenPlan>(maxPlans)
  const plan = (context: CallContext | undefined): TokenPlan => {
    const parameters = grant.parameters(context)
    const text = tokenKeyText(identity, parameters)
    const before = byText.get(text)
    if (before !== undefined) return before
    const made = Object.freeze({ key: tokenKey(identity, parameters), parameters })
    byText.set(text, made)
    return made
  }
  const withoutContext = grant.contextual ? undefined : plan(undefined)
  if (withoutContext !== undefined) return () => withoutContext
  const none: CallContext = Object.freeze({})
  const known = new WeakMap<CallContext, TokenPlan>()
  return (context = none) => {
    const before = known.get(context)
    if (before !== undefined) return before
    const made = plan(context)
    // One that may still change is asked anew each time.
    if (Object.isFrozen(context)) known.set(context, made)
    return made
  }
}
