/**
 * openid-client has no cache of client credentials tokens: it gets the one that its users write. Calls go through its own
 * `fetchProtectedResource`, which is on Node's built-in fetch.
 */
import * as oidc from 'openid-client'
import type { Contender } from '../contender.ts'
import { closeBuiltInConnections } from './built-in-connections.ts'
import { UsersCache } from './users-cache.ts'
import { versionOf } from '../version-of.ts'

export default {
  name: 'openid-client, hand-written cache',
  version: versionOf('openid-client'),
  bare: 'bare-node-fetch',
  async start({ apiUrl, tokenEndpoint, clientId, clientSecret, lifetimeMs }) {
    const server = { issuer: new URL(tokenEndpoint).origin, token_endpoint: tokenEndpoint }
    const config = new oidc.Configuration(server, clientId, undefined, oidc.ClientSecretBasic(clientSecret))
    // The servers of this benchmark speak http.
    oidc.allowInsecureRequests(config)
    const cache = new UsersCache(lifetimeMs, async () => {
      const tokens = await oidc.clientCredentialsGrant(config)
      return { accessToken: tokens.access_token, expiresInMs: (tokens.expiresIn() ?? 0) * 1000 }
    })
    const url = new URL(apiUrl)
    return {
      async call() {
        const response = await oidc.fetchProtectedResource(config, await cache.get(), url, 'GET')
        await response.text()
        return response.status
      },
      close: closeBuiltInConnections,
    }
  },
} satisfies Contender
