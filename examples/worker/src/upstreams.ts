import { clientSecretBasic, createUpstreams } from '@tokenwell/core'
import type { Config } from './config.ts'

/** The protected APIs that this worker calls. */
export function connectUpstreams({ login, billingUrl }: Pick<Config, 'login' | 'billingUrl'>) {
  return createUpstreams({
    billing: {
      baseUrl: billingUrl,
      oauth: {
        issuer: login.issuer,
        clientId: login.clientId,
        clientAuth: clientSecretBasic(login.clientSecret),
        scope: 'invoices:read',
      },
    },
  })
}
