/** undici's `request` with the cache that people write by hand: the least that a call with a token of one's own can cost. */
import { Agent } from 'undici'
import type { Contender } from '../contender.ts'
import { requestToken } from '../request-token.ts'
import { versionOf } from '../version-of.ts'
import { UsersCache } from './users-cache.ts'

export default {
  name: 'undici request, hand-written cache',
  version: versionOf('undici'),
  bare: 'bare-request',
  async start({ apiUrl, tokenEndpoint, clientId, clientSecret, lifetimeMs }) {
    const { origin, pathname: path } = new URL(apiUrl)
    const cache = new UsersCache(lifetimeMs, () => requestToken(tokenEndpoint, clientId, clientSecret))
    const agent = new Agent()
    return {
      async call() {
        const authorization = `Bearer ${await cache.get()}`
        const { statusCode, body } = await agent.request({ origin, path, method: 'GET', headers: { authorization } })
        await body.dump()
        return statusCode
      },
      close: () => agent.close(),
    }
  },
} satisfies Contender
