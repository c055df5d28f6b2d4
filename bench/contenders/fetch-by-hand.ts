/** Node's built-in fetch with the cache that people write by hand. */
import type { Contender } from '../contender.ts'
import { closeBuiltInConnections } from './built-in-connections.ts'
import { requestToken } from '../request-token.ts'
import { UsersCache } from './users-cache.ts'

export default {
  name: 'built-in fetch, hand-written cache',
  version: process.versions['undici'] ?? 'unknown',
  bare: 'bare-node-fetch',
  async start({ apiUrl, tokenEndpoint, clientId, clientSecret, lifetimeMs }) {
    const cache = new UsersCache(lifetimeMs, () => requestToken(tokenEndpoint, clientId, clientSecret))
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
