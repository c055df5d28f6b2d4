import { randomBytes } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'

import { generateKeyPair } from 'jose'

import type { CertificateAuthority } from '../certificates/certificate-authority.ts'
import { createTlsIdentity } from '../certificates/tls-identity.ts'
import { listenOnLoopback, type LoopbackServer } from '../loopback-server.ts'
import { createCertificateClients, toCertificateDefinitions } from './certificate-clients.ts'
import { issueAccessToken, issueAuthorizationCode, issueRefreshToken } from './consent.ts'
import { createProvider } from './create-provider.ts'
import { createTokenRequestObserver } from './observe-token-requests.ts'
import type { AuthorizationServer, AuthorizationServerOptions, TlsAuthorizationServer } from './options.ts'
import { resourceInformation, type ProviderSettings } from './provider-configuration.ts'
import { createReadyClients, toDefinitions } from './ready-clients.ts'

/** Starts an authorization server with ready clients. Rejects on an option or a client that cannot be registered. */
export async function createAuthorizationServer(
  options: AuthorizationServerOptions & { readonly tls: true | CertificateAuthority },
): Promise<TlsAuthorizationServer>
export async function createAuthorizationServer(options?: AuthorizationServerOptions): Promise<AuthorizationServer>
export async function createAuthorizationServer(
  options: AuthorizationServerOptions = {},
): Promise<AuthorizationServer | TlsAuthorizationServer> {
  const { audience = 'https://api.example.com', mtlsEndpoint = 'alias', port = 0 } = options
  const scopes = options.scopes ?? ['invoices:read', 'invoices:write', 'profile:read']
  const introspectionClient = { clientId: 'protected-api', clientSecret: randomBytes(32).toString('base64url') }
  const clients = await createReadyClients()
  const tls = await createTlsIdentity(options.tls)
  const certificateClients = tls && (await createCertificateClients(tls.authority))
  const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true })

  // The issuer names the port, so the port must be known before there is anything to answer with.
  const answer = Promise.withResolvers<(request: IncomingMessage, response: ServerResponse) => Promise<void>>()
  const listen = (listenPort: number, clientCertificates: 'ignored' | 'requested'): Promise<LoopbackServer> =>
    listenOnLoopback((request, response) => void answer.promise.then((callback) => callback(request, response)), {
      port: listenPort,
      tls,
      clientCertificates,
    })
  const server = await listen(port, mtlsEndpoint === 'ordinary' ? 'requested' : 'ignored')
  const mtlsServer = tls && mtlsEndpoint === 'alias' ? await listen(0, 'requested') : undefined
  const close = async (): Promise<void> => {
    await Promise.all([server.close(), mtlsServer?.close()])
  }

  const settings: ProviderSettings = {
    clients: [
      ...toDefinitions(clients),
      ...(certificateClients === undefined ? [] : toCertificateDefinitions(certificateClients)),
      ...(options.clients ?? []),
    ],
    introspectionClient,
    scopes,
    lifetimeSeconds: options.lifetimeSeconds ?? 3600,
    accessTokenFormat: options.accessTokenFormat ?? 'jwt',
    audience,
    rotateRefreshTokens: options.rotateRefreshTokens ?? true,
    requireDpopNonce: options.requireDpopNonce ?? false,
    signingKey: privateKey,
    tls: tls !== undefined,
    mtlsUrl: mtlsServer?.url,
  }
  const provider = await createProvider(server.url, settings, publicKey).catch(async (error: unknown) => {
    await close()
    throw error
  })
  const observer = createTokenRequestObserver(options.delayMs, server.closing)
  provider.use(observer.middleware)
  answer.resolve(provider.callback())
  const resourceServer = (resource: string) =>
    new provider.ResourceServer(resource, resourceInformation(settings, resource))
  const consentDefaults = { scope: scopes.join(' '), resource: audience }

  return {
    issuer: server.url,
    tokenEndpoint: `${server.url}/token`,
    metadataUrl: `${server.url}/.well-known/openid-configuration`,
    oauthMetadataUrl: `${server.url}/.well-known/oauth-authorization-server`,
    jwksUri: `${server.url}/jwks`,
    introspection: { endpoint: `${server.url}/token/introspection`, ...introspectionClient },
    clients,
    ...(tls && {
      ca: tls.authority.cert,
      certificateAuthority: tls.authority,
      mtlsTokenEndpoint: `${mtlsServer?.url ?? server.url}/token`,
      certificateClients,
    }),
    tokenRequests: observer.records,
    get tokenRequestCount() {
      return observer.count
    },
    onTokenRequest: (listener) => observer.listen(listener),
    issueAccessToken: (consent) => issueAccessToken(provider, consent, { ...consentDefaults, resourceServer }),
    issueAuthorizationCode: (consent) => issueAuthorizationCode(provider, consent, consentDefaults),
    issueRefreshToken: (consent) => issueRefreshToken(provider, consent, consentDefaults),
    close,
    [Symbol.asyncDispose]: close,
  }
}
