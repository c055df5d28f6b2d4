/**
 * simple-oauth2 has no cache: it gets the one that its users write, with the window of 300 s that its README checks `expired`
 * with. It has no HTTP client for the API either: Node's built-in fetch.
 */
import { ClientCredentials } from 'simple-oauth2'
import type { Contender } from '../contender.ts'
import { closeBuiltInConnections } from './built-in-connections.ts'
import { UsersCache } from './users-cache.ts'
import { versionOf } from '../version-of.ts'

const windowMs = 300_000

export default {
  name: 'simple-oauth2, hand-written cache',
  version: versionOf('simple-oauth2'),
  bare: 'bare-node-fetch',
  async start({ apiUrl, tokenEndpoint, clientId, clientSecret, lifetimeMs }) {
    const { origin, pathname } = new URL(tokenEndpoint)
    const client = new ClientCredentials({
      client: { id: clientId, secret: clientSecret },
      auth: { tokenHost: origin, tokenPath: pathname },
    })
    const request = async () => {
      const { token } = await client.getToken({})
      return { accessToken: token['access_token'] as string, expiresInMs: (token['expires_in'] as number) * 1000 }
    }
    const cache = new UsersCache(lifetimeMs, request, windowMs)
    return {
      async call() {
        const response = await fetch(apiUrl, { headers: { authorization: `Bearer ${await cache.get()}` } })
        await response.text()
        return response.status
      },
      close: closeBuiltInConnections,
    }
  },
} satisfies Contender
