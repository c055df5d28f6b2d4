import { clientSecretBasic, createUpstreams } from '@tokenwell/core'
import type { Config } from './config.ts'

/** The protected APIs that this service calls. */
export function connectUpstreams({ billing }: Pick<Config, 'billing'>) {
  return createUpstreams({
    billing: {
      baseUrl: billing.baseUrl,
      oauth: {
        issuer: billing.issuer,
        clientId: billing.clientId,
        clientAuth: clientSecretBasic(billing.clientSecret),
        scope: billing.scope,
      },
    },
  })
}
