import { clientSecretBasic, createUpstreams, type UpstreamOptions, type Upstreams } from '@tokenwell/core'
import {
  createAuthorizationServer,
  createProtectedApi,
  type AuthorizationServer,
  type ProtectedApi,
} from '@tokenwell/testing'

/** A real authorization server, an API that takes its tokens, and upstreams between the two. */
export interface Servers extends AsyncDisposable {
  readonly authorizationServer: AuthorizationServer
  readonly api: ProtectedApi
  /** New upstreams: nothing is cached yet, and `billing` leads to the API. */
  createBilling(more?: BillingOptions): Upstreams<'billing'>
}

export interface BillingOptions extends Partial<Omit<UpstreamOptions, 'oauth'>> {
  readonly oauth?: Partial<Extract<UpstreamOptions['oauth'], { clientId: string }>>
}

export async function startServers(): Promise<Servers> {
  const authorizationServer = await createAuthorizationServer()
  const api = await createProtectedApi({ ...authorizationServer, requiredScope: 'invoices:read' })
  const { clientId, secret } = authorizationServer.clients.basic
  return {
    authorizationServer,
    api,
    createBilling({ oauth, ...more } = {}) {
      const { issuer } = authorizationServer
      const own = { issuer, clientId, clientAuth: clientSecretBasic(secret), scope: 'invoices:read', ...oauth }
      return createUpstreams({ billing: { baseUrl: `${api.url}/v1`, ...more, oauth: own } })
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([api.close(), authorizationServer.close()])
    },
  }
}
