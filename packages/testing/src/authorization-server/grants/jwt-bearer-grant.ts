import { createLocalJWKSet, errors, jwtVerify, type JWTPayload } from 'jose'
import { InvalidGrant, InvalidRequest } from 'oidc-provider/lib/helpers/errors.js'
import type { GrantContext, Provider } from 'oidc-provider/lib/provider.js'

import { jwtBearer } from '../grant-type.ts'
import { issueUserToken } from './issue-user-token.ts'

/** Registers the grant of RFC 7523 §2.1, for assertions that the client itself has signed. */
export function registerJwtBearerGrant(provider: Provider): void {
  provider.registerGrantType(
    jwtBearer,
    async (context) => {
      const { params, requestParamScopes: scopes } = context.oidc
      const { assertion } = params
      if (assertion === undefined) throw new InvalidRequest('assertion is missing')
      const { sub } = await verifyAssertion(assertion, context)
      if (sub === undefined || sub === '') throw new InvalidGrant('sub is missing')
      await issueUserToken(provider, context, { accountId: sub, scopes })
    },
    ['assertion', 'scope', 'resource'],
    ['resource'],
  )
}

async function verifyAssertion(assertion: string, { oidc }: GrantContext): Promise<JWTPayload> {
  try {
    const keys = createLocalJWKSet(oidc.client.jwks ?? { keys: [] })
    const { payload } = await jwtVerify(assertion, keys, {
      issuer: oidc.client.clientId,
      audience: [...oidc.clientJwtAuthExpectedAudience()],
      requiredClaims: ['exp'],
    })
    return payload
  } catch (error) {
    // RFC 7523 §3.1.
    if (error instanceof errors.JOSEError) throw new InvalidGrant(error.message)
    throw error
  }
}
