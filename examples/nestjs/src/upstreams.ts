import { createUpstreams, privateKeyJwt } from '@tokenwell/core'
import { TokenwellModule } from '@tokenwell/nestjs'
import { Config, ConfigModule } from './config.ts'

/** The protected APIs that this service calls for itself, for every module. */
export const upstreamsModule = TokenwellModule.forRootAsync({
  names: ['billing'],
  imports: [ConfigModule],
  inject: [Config],
  useFactory: ({ billing }: Config) => ({
    upstreams: createUpstreams({
      billing: {
        baseUrl: billing.baseUrl,
        oauth: {
          issuer: billing.issuer,
          clientId: billing.clientId,
          clientAuth: privateKeyJwt(billing.privateKey, { keyId: billing.keyId }),
          scope: billing.scope,
        },
      },
    }),
  }),
})
