import { randomBytes } from 'node:crypto'

import { exportJWK, generateKeyPair } from 'jose'
import type { ProviderContext } from 'oidc-provider/lib/provider.js'

import { toClientMetadata, type ClientDefinition } from './client-definition.ts'
import { createMemoryAdapterFactory } from './memory-adapter.ts'

/** What of the configuration differs between servers. */
export interface ProviderSettings {
  readonly clients: readonly ClientDefinition[]
  readonly introspectionClient: { readonly clientId: string; readonly clientSecret: string }
  readonly scopes: readonly string[]
  readonly lifetimeSeconds: number
  readonly accessTokenFormat: 'opaque' | 'jwt'
  readonly audience: string
}

/** The configuration of oidc-provider: client credentials and introspection, with a signing key of its own. */
export async function createProviderConfiguration(settings: ProviderSettings): Promise<object> {
  const { privateKey } = await generateKeyPair('ES256', { extractable: true })
  const { introspectionClient } = settings

  return {
    adapter: createMemoryAdapterFactory(),
    jwks: { keys: [{ ...(await exportJWK(privateKey)), alg: 'ES256', use: 'sig' }] },
    cookies: { keys: [randomBytes(32).toString('base64url')] },
    clients: [
      ...settings.clients.map((client) => toClientMetadata(client)),
      {
        client_id: introspectionClient.clientId,
        client_secret: introspectionClient.clientSecret,
        token_endpoint_auth_method: 'client_secret_basic',
        grant_types: [],
      },
    ],
    // There is no authorization endpoint to redirect from, so neither response types nor redirect URIs.
    clientDefaults: { id_token_signed_response_alg: 'ES256', response_types: [] },
    responseTypes: [],
    clientAuthMethods: ['client_secret_basic', 'client_secret_post', 'client_secret_jwt', 'private_key_jwt'],
    scopes: settings.scopes,
    ttl: { ClientCredentials: settings.lifetimeSeconds },
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      rpInitiatedLogout: { enabled: false },
      userinfo: { enabled: false },
      introspection: {
        enabled: true,
        allowedPolicy: (_context: unknown, client: { clientId: string }, token: { clientId: string }) =>
          client.clientId === introspectionClient.clientId || client.clientId === token.clientId,
      },
      resourceIndicators: {
        enabled: true,
        // Only a token for a resource can be a JWT, so a request that names none gets this one.
        defaultResource: () => settings.audience,
        getResourceServerInfo: (_context: unknown, resource: string) => ({
          scope: settings.scopes.join(' '),
          audience: resource,
          accessTokenFormat: settings.accessTokenFormat,
        }),
      },
    },
    // The defaults of these two print a notice when they are first called.
    clientBasedCORS: () => false,
    renderError: (context: ProviderContext, out: object) => {
      context.body = out
    },
  }
}
