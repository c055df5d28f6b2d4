import { createUpstreams, privateKeyJwt, tokenExchange } from '@tokenwell/core'
import { TokenwellModule } from '@tokenwell/nestjs'
import { bearerToken } from './caller/bearer-token.ts'
import { Config, ConfigModule } from './config.ts'

/** The protected APIs that this service calls, for every module: billing, in its own name and in that of its caller. */
export const upstreamsModule = TokenwellModule.forRootAsync({
  names: ['billing', 'billingForCaller'],
  imports: [ConfigModule],
  inject: [Config],
  useFactory: (config: Config) => ({
    upstreams: connectUpstreams(config),
    // Asked before there are guards. Controllers whose services use `billingForCaller` are behind CallerGuard, so that nothing is
    // done in the name of a token that was not checked.
    context: (request) => ({ subjectToken: bearerToken(request.headers.authorization) }),
  }),
})

function connectUpstreams({ login, billingUrl }: Config) {
  const { issuer, clientId, privateKey, keyId } = login
  const client = { issuer, clientId, clientAuth: privateKeyJwt(privateKey, { keyId }) }
  return createUpstreams({
    billing: {
      baseUrl: billingUrl,
      oauth: { ...client, scope: 'invoices:read' },
    },
    billingForCaller: {
      baseUrl: billingUrl,
      oauth: {
        ...client,
        grant: tokenExchange({
          subjectToken: ({ subjectToken }) => subjectToken,
          // The authorization server of this example issues JWTs, which say how long they live.
          subjectTokenExpiresAt: 'jwt',
          scope: 'profile:read',
        }),
      },
    },
  })
}
