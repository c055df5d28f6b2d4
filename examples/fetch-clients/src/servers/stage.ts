import { clientSecretBasic, createUpstream, type Upstream } from '@tokenwell/core'
import {
  createAuthorizationServer,
  createProtectedApi,
  type AuthorizationServer,
  type ProtectedApi,
} from '@tokenwell/testing'
import { serveConnect } from './connect-server.ts'
import { startGateway, type Gateway } from './gateway.ts'
import { serveGraphql } from './graphql-server.ts'

/** All that the calls need. */
export interface Stage {
  readonly server: AuthorizationServer
  readonly api: ProtectedApi
  readonly graphql: Gateway
  readonly connect: Gateway
  /** One upstream, and so one token, for the API and the two servers behind it. */
  readonly upstream: Upstream
  close(): Promise<void>
}

/** Starts a real authorization server, an API that it protects, a GraphQL server and a Connect server. */
export async function openStage(): Promise<Stage> {
  const server = await createAuthorizationServer()
  const api = await createProtectedApi({ ...server, requiredScope: 'invoices:read' })
  const graphql = await startGateway(api, serveGraphql)
  const connect = await startGateway(api, serveConnect)
  const { clientId, secret } = server.clients.basic
  const upstream = createUpstream({
    name: 'billing',
    baseUrl: `${api.url}/v1`,
    // Each is an origin of its own, which gets the token because it is named here.
    origins: [graphql.url, connect.url],
    oauth: {
      issuer: server.issuer,
      clientId,
      clientAuth: clientSecretBasic(secret),
      scope: 'invoices:read',
    },
  })
  return {
    server,
    api,
    graphql,
    connect,
    upstream,
    async close() {
      await upstream.close()
      await Promise.all([graphql, connect, api, server].map((started) => started.close()))
    },
  }
}
