import { clientSecretBasic, createUpstreams, tokenExchange } from '@tokenwell/core'
import type { Config } from './config.ts'

/** The protected APIs that this service calls: billing, in its own name and in that of its caller. */
export function connectUpstreams({ login, billingUrl }: Pick<Config, 'login' | 'billingUrl'>) {
  const { issuer, clientId } = login
  const client = { issuer, clientId, clientAuth: clientSecretBasic(login.clientSecret) }
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

declare module '@tokenwell/core' {
  interface Register {
    upstreams: ReturnType<typeof connectUpstreams>
  }
}
