import { InvalidTarget } from 'oidc-provider/lib/helpers/errors.js'
import {
  buildTokenResponse,
  checkDpopReplay,
  checkDpopRequired,
  checkMtlsCert,
  resolveRequestedResources,
  validateClientScope,
  validateDpop,
} from 'oidc-provider/lib/helpers/grants.js'
import type { GrantContext, Provider, ResourceServer } from 'oidc-provider/lib/provider.js'

/** What is issued to the client that asks. */
export interface UserToken {
  /** The token's `sub`. */
  readonly accountId: string
  /** Those that the resource lacks are left out. */
  readonly scopes: ReadonlySet<string>
  /** Default: what the request's `resource` names. */
  readonly resourceServer?: ResourceServer
  /** RFC 8693 §2.2.1. Default: none. */
  readonly issuedTokenType?: string
}

/**
 * Answers a token request with an access token about a user, bound to a key or a certificate as those of the grants
 * that come with oidc-provider are.
 */
export async function issueUserToken(provider: Provider, context: GrantContext, granted: UserToken): Promise<void> {
  const { accountId, issuedTokenType } = granted
  const { client, params } = context.oidc
  const proof = await validateDpop(provider, context)
  const scopes = validateClientScope(provider, context, granted.scopes)
  const resourceServer = granted.resourceServer ?? (await singleResource(provider, context))

  const token = new provider.AccessToken({ accountId, client, gty: params['grant_type'] })
  token.resourceServer = resourceServer
  token.scope = [...scopes].filter((scope) => resourceServer.scopes.has(scope)).join(' ') || undefined

  const certificate = checkMtlsCert(provider, context)
  if (certificate !== undefined) token.setThumbprint('x5t', certificate)
  checkDpopRequired(provider, context, proof)
  if (proof !== undefined) {
    await checkDpopReplay(provider, context, proof, client.clientId)
    token.setThumbprint('jkt', proof.thumbprint)
  }

  context.oidc.entity('AccessToken', token)
  context.body = buildTokenResponse(provider, {
    accessToken: await token.save(),
    expiresIn: token.expiration,
    issuedTokenType,
    scope: token.scope,
    tokenType: token.tokenType,
  })
}

async function singleResource(provider: Provider, context: GrantContext): Promise<ResourceServer> {
  const [resourceServer, ...more] = await resolveRequestedResources(provider, context)
  if (resourceServer === undefined || more.length > 0) throw new InvalidTarget('name one resource')
  return resourceServer
}
