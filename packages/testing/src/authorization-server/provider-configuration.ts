import { randomBytes } from 'node:crypto'

import { exportJWK, type CryptoKey } from 'jose'
import type { ProviderContext } from 'oidc-provider/lib/provider.js'

import { keyAlgorithms } from '../jwt/key-algorithms.ts'
import { toClientMetadata, type ClientDefinition } from './client-definition.ts'
import { createMemoryAdapterFactory } from './memory-adapter.ts'
import { mtlsFeature } from './mtls-feature.ts'

/** What of the configuration differs between servers. */
export interface ProviderSettings {
  readonly clients: readonly ClientDefinition[]
  readonly introspectionClient: { readonly clientId: string; readonly clientSecret: string }
  readonly scopes: readonly string[]
  readonly lifetimeSeconds: number
  readonly accessTokenFormat: 'opaque' | 'jwt'
  readonly audience: string
  readonly rotateRefreshTokens: boolean
  readonly requireDpopNonce: boolean
  /** Signs the tokens; ES256, extractable. */
  readonly signingKey: CryptoKey
  readonly tls: boolean
  /** Where client certificates are asked for, if not on the server's own port. */
  readonly mtlsUrl?: string | undefined
}

/** What oidc-provider is told of any resource. */
export function resourceInformation(settings: ProviderSettings, resource: string) {
  return { scope: settings.scopes.join(' '), audience: resource, accessTokenFormat: settings.accessTokenFormat }
}

/** The configuration of oidc-provider. Throws a TypeError for clients that it would register otherwise than asked. */
export async function createProviderConfiguration(settings: ProviderSettings): Promise<object> {
  const { introspectionClient, lifetimeSeconds, tls } = settings
  const dayInSeconds = 24 * 60 * 60

  return {
    adapter: createMemoryAdapterFactory(),
    jwks: { keys: [{ ...(await exportJWK(settings.signingKey)), alg: 'ES256', use: 'sig' }] },
    cookies: { keys: [randomBytes(32).toString('base64url')] },
    clients: [
      ...settings.clients.map((client) => toClientMetadata(client, tls)),
      {
        client_id: introspectionClient.clientId,
        client_secret: introspectionClient.clientSecret,
        token_endpoint_auth_method: 'client_secret_basic',
        grant_types: [],
        response_types: [],
      },
    ],
    clientDefaults: { id_token_signed_response_alg: 'ES256' },
    responseTypes: ['code'],
    clientAuthMethods: [
      'client_secret_basic',
      'client_secret_post',
      'client_secret_jwt',
      'private_key_jwt',
      'none',
      ...(tls ? ['tls_client_auth', 'self_signed_tls_client_auth'] : []),
    ],
    enabledJWA: {
      clientAuthSigningAlgValues: ['HS256', 'HS384', 'HS512', ...keyAlgorithms],
      dPoPSigningAlgValues: keyAlgorithms,
    },
    scopes: settings.scopes,
    ttl: {
      ClientCredentials: lifetimeSeconds,
      AccessToken: lifetimeSeconds,
      AuthorizationCode: 60,
      Grant: dayInSeconds,
      IdToken: lifetimeSeconds,
      RefreshToken: dayInSeconds,
    },
    rotateRefreshToken: settings.rotateRefreshTokens,
    issueRefreshToken: (_context: unknown, client: { grantTypeAllowed(grantType: string): boolean }) =>
      client.grantTypeAllowed('refresh_token'),
    // Every user exists.
    findAccount: (_context: unknown, accountId: string) => ({ accountId, claims: () => ({ sub: accountId }) }),
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      rpInitiatedLogout: { enabled: false },
      userinfo: { enabled: false },
      dPoP: { enabled: true, nonceSecret: randomBytes(32), requireNonce: () => settings.requireDpopNonce },
      mTLS: tls ? mtlsFeature : { enabled: false },
      introspection: {
        enabled: true,
        allowedPolicy: (_context: unknown, client: { clientId: string }, token: { clientId: string }) =>
          client.clientId === introspectionClient.clientId || client.clientId === token.clientId,
      },
      resourceIndicators: {
        enabled: true,
        // Only a token for a resource can be a JWT, so a request that names none gets this one.
        defaultResource: () => settings.audience,
        useGrantedResource: () => true,
        getResourceServerInfo: (_context: unknown, resource: string) => resourceInformation(settings, resource),
      },
    },
    discovery: aliases(settings.mtlsUrl),
    // The defaults of these two print a notice when they are first called.
    clientBasedCORS: () => false,
    renderError: (context: ProviderContext, out: object) => {
      context.body = out
    },
  }
}

// RFC 8705 §5.
function aliases(url: string | undefined): object {
  if (url === undefined) return {}
  return {
    mtls_endpoint_aliases: { token_endpoint: `${url}/token`, introspection_endpoint: `${url}/token/introspection` },
  }
}
