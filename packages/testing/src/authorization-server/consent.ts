import type { Provider, ProviderClient, ResourceServer } from 'oidc-provider/lib/provider.js'

import type { GrantType } from './grant-type.ts'

/** What a user has consented to, as if in a browser. */
export interface Consent {
  /** A registered client that may use the grant. */
  readonly clientId: string
  /** Any name: the token's `sub`. */
  readonly subject: string
  /** Several with spaces between. Default: all of the server's. */
  readonly scope?: string
  /** The audience of the tokens; an absolute URI. Default: the server's. */
  readonly resource?: string
}

/** What an authorization code is for. */
export interface CodeConsent extends Consent {
  /** What the client must repeat. Default: the client's. */
  readonly redirectUri?: string
  /** RFC 7636 §4.3, by S256. Default: none. */
  readonly codeChallenge?: string
}

/** What an access token is about. */
export interface AccessTokenConsent extends Consent {
  /** In whole seconds; one below 0 has expired. Default: the server's. */
  readonly lifetimeSeconds?: number
}

/** What consents have in common on one server. */
export interface ConsentDefaults {
  readonly scope: string
  readonly resource: string
}

/** Makes an authorization code. Rejects with a TypeError if the client does not exist or may not redeem one. */
export async function issueAuthorizationCode(
  provider: Provider,
  consent: CodeConsent,
  defaults: ConsentDefaults,
): Promise<string> {
  const { client, properties } = await record(provider, 'authorization_code', { ...defaults, ...consent })
  const { redirectUri = client.redirectUris[0], codeChallenge } = consent
  const challenge = codeChallenge === undefined ? {} : { codeChallenge, codeChallengeMethod: 'S256' }
  return new provider.AuthorizationCode({ ...properties, client, redirectUri, ...challenge }).save()
}

/** Makes a refresh token. Rejects with a TypeError if the client does not exist or may not use one. */
export async function issueRefreshToken(
  provider: Provider,
  consent: Consent,
  defaults: ConsentDefaults,
): Promise<string> {
  const { client, properties } = await record(provider, 'refresh_token', { ...defaults, ...consent })
  return new provider.RefreshToken({ ...properties, client, gty: 'authorization_code', rotations: 0 }).save()
}

/** Makes an access token, as if the client had redeemed a code. Rejects with a TypeError if the client does not exist or may not. */
export async function issueAccessToken(
  provider: Provider,
  consent: AccessTokenConsent,
  defaults: ConsentDefaults & { readonly resourceServer: (resource: string) => ResourceServer },
): Promise<string> {
  const { client, properties } = await record(provider, 'authorization_code', { ...defaults, ...consent })
  const { accountId, scope, resource } = properties
  const expiresIn = consent.lifetimeSeconds
  const token = new provider.AccessToken({ accountId, client, gty: 'authorization_code', expiresIn })
  token.resourceServer = defaults.resourceServer(resource)
  token.scope = scope
  return token.save()
}

interface Recorded {
  readonly accountId: string
  readonly scope: string
  readonly resource: string
  readonly grantId: string
}

async function record(
  provider: Provider,
  grantType: GrantType,
  { clientId, subject: accountId, scope, resource }: Consent & ConsentDefaults,
): Promise<{ client: ProviderClient; properties: Recorded }> {
  const client = await provider.Client.find(clientId)
  if (client?.grantTypeAllowed(grantType) !== true) throw new TypeError(`${clientId} may not use ${grantType}`)
  const grant = new provider.Grant({ accountId, clientId })
  grant.addOIDCScope(scope)
  grant.addResourceScope(resource, scope)
  return { client, properties: { accountId, scope, resource, grantId: await grant.save() } }
}
