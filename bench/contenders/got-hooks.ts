/**
 * got with hooks as its documentation has them: one that adds the token of a hand-written cache, and one that gets another and
 * sends the request again after a 401.
 */
import { Agent } from 'node:http'
import got from 'got'
import type { Contender } from '../contender.ts'
import { UsersCache } from './users-cache.ts'
import { versionOf } from '../version-of.ts'

export default {
  name: 'got, hooks and hand-written cache',
  version: versionOf('got'),
  bare: 'bare-got',
  async start({ apiUrl, tokenEndpoint, clientId, clientSecret, lifetimeMs }) {
    const agent = { http: new Agent({ keepAlive: true }) }
    const authorization = `Basic ${Buffer.from(`${clientId}:${clientSecret}`).toString('base64')}`
    const cache = new UsersCache(lifetimeMs, async () => {
      const form = { grant_type: 'client_credentials' }
      const answer = got.post(tokenEndpoint, { agent, form, headers: { authorization } })
      const { access_token, expires_in } = await answer.json<{ access_token: string; expires_in: number }>()
      return { accessToken: access_token, expiresInMs: expires_in * 1000 }
    })
    const instance = got.extend({
      agent,
      throwHttpErrors: false,
      hooks: {
        beforeRequest: [
          async (options) => {
            options.headers['authorization'] = `Bearer ${await cache.get()}`
          },
        ],
        afterResponse: [
          async (response, retryWithMergedOptions) => {
            if (response.statusCode !== 401) return response
            const sent = String(response.request.options.headers['authorization'])
            cache.forget(sent.slice('Bearer '.length))
            return retryWithMergedOptions({ headers: { authorization: `Bearer ${await cache.get()}` } })
          },
        ],
      },
    })
    return {
      call: async () => (await instance.get(apiUrl)).statusCode,
      async close() {
        agent.http.destroy()
      },
    }
  },
} satisfies Contender
