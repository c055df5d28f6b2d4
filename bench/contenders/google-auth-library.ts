/**
 * google-auth-library has no client credentials grant. Its documented `refreshHandler` gets the token, once for all who ask
 * meanwhile; cache, margin (five minutes, or half of a shorter life) and the replay after a 401 are its own.
 */
import { Agent } from 'node:http'
import { OAuth2Client } from 'google-auth-library'
import type { Contender } from '../contender.ts'
import { requestToken } from '../request-token.ts'
import { versionOf } from '../version-of.ts'

export default {
  name: 'google-auth-library, refreshHandler',
  version: versionOf('google-auth-library'),
  bare: 'bare-gaxios',
  async start({ apiUrl, tokenEndpoint, clientId, clientSecret, lifetimeMs }) {
    const agent = new Agent({ keepAlive: true })
    const client = new OAuth2Client({
      eagerRefreshThresholdMillis: Math.min(300_000, lifetimeMs / 2),
      forceRefreshOnFailure: true,
      transporterOptions: { agent },
    })
    const renew = async () => {
      const { accessToken, expiresInMs } = await requestToken(tokenEndpoint, clientId, clientSecret)
      return { access_token: accessToken, expiry_date: Date.now() + expiresInMs }
    }
    let pending: ReturnType<typeof renew> | undefined
    client.refreshHandler = () => {
      pending ??= renew().finally(() => {
        pending = undefined
      })
      return pending
    }
    return {
      call: async () => (await client.request({ url: apiUrl })).status,
      async close() {
        agent.destroy()
      },
    }
  },
} satisfies Contender
