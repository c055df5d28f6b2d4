import { randomBytes } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'

// The package's main file prints a warning when Node.js is not a long-term support release; this one does not.
import { Provider } from 'oidc-provider/lib/provider.js'

import { listenOnLoopback } from '../loopback-server.ts'
import type { IntrospectionAccess } from '../protected-api/verify-token.ts'
import type { ClientDefinition } from './client-definition.ts'
import { createProviderConfiguration, type ProviderSettings } from './provider-configuration.ts'
import { toTokenRequestRecord } from './read-token-request.ts'
import { createReadyClients, toDefinitions, type ReadyClients } from './ready-clients.ts'
import type { TokenRequestListener, TokenRequestRecord } from './token-request-record.ts'

/** Options of `createAuthorizationServer`. */
export interface AuthorizationServerOptions {
  /** Clients besides the ready ones. Default: none. */
  readonly clients?: readonly ClientDefinition[]
  /** Scopes that exist. Default: `invoices:read`, `invoices:write`, `profile:read`. */
  readonly scopes?: readonly string[]
  /** Life of an access token, in whole seconds above 0. Default: 3600. */
  readonly lifetimeSeconds?: number
  /** Default: `jwt`. */
  readonly accessTokenFormat?: 'opaque' | 'jwt'
  /** Audience of a token when the request names no `resource`; an absolute URI. Default: `https://api.example.com`. */
  readonly audience?: string
  /** How long the token endpoint waits before it answers, in milliseconds. Default: 0. */
  readonly delayMs?: number
  /** Port on 127.0.0.1. Default: 0, a free one. */
  readonly port?: number
}

/** A real authorization server in this process, on 127.0.0.1 over plain HTTP. */
export interface AuthorizationServer extends AsyncDisposable {
  readonly issuer: string
  readonly tokenEndpoint: string
  /** OpenID Connect Discovery document. */
  readonly metadataUrl: string
  /** The same document where RFC 8414 §3 has it. */
  readonly oauthMetadataUrl: string
  readonly jwksUri: string
  /** What a protected API needs to introspect opaque tokens (RFC 7662); JWTs are refused there. */
  readonly introspection: IntrospectionAccess
  readonly clients: ReadyClients
  /** Answered token requests, in the order of the answers. */
  readonly tokenRequests: readonly TokenRequestRecord[]
  /** Token requests that have arrived, answered or not. */
  readonly tokenRequestCount: number
  /** Calls `listener` for each token request that arrives from now on; returns what removes it. */
  onTokenRequest(listener: TokenRequestListener): () => void
  /** Ends all connections at once and frees the port. Calling it again changes nothing. */
  close(): Promise<void>
}

/** Starts an authorization server with ready clients. Rejects on an option or a client that cannot be registered. */
export async function createAuthorizationServer(
  options: AuthorizationServerOptions = {},
): Promise<AuthorizationServer> {
  const readyClients = await createReadyClients()
  const introspectionClient = { clientId: 'protected-api', clientSecret: randomBytes(32).toString('base64url') }
  const settings: ProviderSettings = {
    clients: [...toDefinitions(readyClients), ...(options.clients ?? [])],
    introspectionClient,
    scopes: options.scopes ?? ['invoices:read', 'invoices:write', 'profile:read'],
    lifetimeSeconds: options.lifetimeSeconds ?? 3600,
    accessTokenFormat: options.accessTokenFormat ?? 'jwt',
    audience: options.audience ?? 'https://api.example.com',
  }
  const configuration = await createProviderConfiguration(settings)

  // The issuer names the port, so the port must be known before there is anything to answer with.
  let answer: ((request: IncomingMessage, response: ServerResponse) => Promise<void>) | undefined
  const server = await listenOnLoopback((request, response) => void answer?.(request, response), options.port)
  const tokenRequests: TokenRequestRecord[] = []
  const listeners = new Set<TokenRequestListener>()
  let tokenRequestCount = 0

  try {
    const provider = new Provider(server.url, configuration)
    provider.silent = true
    provider.use(async (context, next) => {
      if (context.path !== '/token' || context.method !== 'POST') return next()
      const arrival = { index: tokenRequestCount, at: Date.now() }
      tokenRequestCount += 1
      for (const listener of listeners) await listener(arrival)
      if (options.delayMs !== undefined) await delay(options.delayMs, undefined, { signal: server.closing })
      await next()
      tokenRequests.push(toTokenRequestRecord(context, arrival.at))
    })
    // Clients are otherwise checked when they are first used, which would show as a failing token request.
    for (const { clientId } of settings.clients) await provider.Client.find(clientId)
    answer = provider.callback()
  } catch (error) {
    await server.close()
    throw error
  }

  return {
    issuer: server.url,
    tokenEndpoint: `${server.url}/token`,
    metadataUrl: `${server.url}/.well-known/openid-configuration`,
    oauthMetadataUrl: `${server.url}/.well-known/oauth-authorization-server`,
    jwksUri: `${server.url}/jwks`,
    introspection: { endpoint: `${server.url}/token/introspection`, ...introspectionClient },
    clients: readyClients,
    tokenRequests,
    get tokenRequestCount() {
      return tokenRequestCount
    },
    onTokenRequest(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    close: () => server.close(),
    [Symbol.asyncDispose]: () => server.close(),
  }
}
