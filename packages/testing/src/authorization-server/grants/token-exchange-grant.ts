import { InvalidRequest, InvalidScope, InvalidTarget } from 'oidc-provider/lib/helpers/errors.js'
import type { GrantContext, Provider } from 'oidc-provider/lib/provider.js'

import { tokenExchange } from '../grant-type.ts'
import { issueUserToken, type UserToken } from './issue-user-token.ts'

/** What a token of this server says, or nothing if it is not one or is no longer good. */
export type SubjectTokenReader = (token: string) => Promise<{ sub: string; scope?: string } | undefined>

/** What oidc-provider needs to know of a resource. */
export type ResourceInformation = (resource: string) => { scope: string }

const accessToken = 'urn:ietf:params:oauth:token-type:access_token'
const jwt = 'urn:ietf:params:oauth:token-type:jwt'

/**
 * Registers the grant of RFC 8693 for subject tokens that are access tokens of this server. The new token has the same
 * subject, no `act` and no scope that the subject token lacks.
 */
export function registerTokenExchangeGrant(
  provider: Provider,
  readSubjectToken: SubjectTokenReader,
  resourceInformation: ResourceInformation,
): void {
  provider.registerGrantType(
    tokenExchange,
    async (context) => {
      const { params } = context.oidc
      if (params['actor_token'] !== undefined) throw new InvalidRequest('actor tokens are not supported')
      checkType(params, 'subject_token_type', true)
      checkType(params, 'requested_token_type', false)
      const subject = await readSubjectToken(params['subject_token'] ?? '')
      // §2.2.2: an invalid subject token is an invalid request.
      if (subject === undefined) throw new InvalidRequest('the subject token is not good')
      await issueUserToken(provider, context, {
        accountId: subject.sub,
        scopes: narrowed(context, subject.scope),
        issuedTokenType: accessToken,
        ...target(provider, params, resourceInformation),
      })
    },
    ['subject_token', 'subject_token_type', 'requested_token_type', 'actor_token', 'scope', 'resource', 'audience'],
    ['resource'],
  )
}

type Parameters = GrantContext['oidc']['params']

function checkType(params: Parameters, name: string, required: boolean): void {
  const type = params[name]
  if (type === undefined ? required : type !== accessToken && type !== jwt) {
    throw new InvalidRequest(`${name} must be that of an access token`)
  }
}

function narrowed({ oidc }: GrantContext, scope = ''): ReadonlySet<string> {
  const held = new Set(scope.split(' '))
  if (oidc.params['scope'] === undefined) return held
  for (const wanted of oidc.requestParamScopes) {
    if (!held.has(wanted)) throw new InvalidScope('the subject token lacks a requested scope', wanted)
  }
  return oidc.requestParamScopes
}

function target(
  provider: Provider,
  { audience, resource }: Parameters,
  resourceInformation: ResourceInformation,
): Pick<UserToken, 'resourceServer'> {
  if (audience === undefined) return {}
  if (resource !== undefined) throw new InvalidTarget('name an audience or a resource')
  return { resourceServer: new provider.ResourceServer(audience, resourceInformation(audience)) }
}
