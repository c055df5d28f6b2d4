/** axios with axios-token-interceptor and its own token cache, whose age is the token's life, as its README has it. */
import { Agent } from 'node:http'
import axios from 'axios'
import tokenProvider from 'axios-token-interceptor'
import type { Contender } from '../contender.ts'
import { versionOf } from '../version-of.ts'

export default {
  name: 'axios-token-interceptor',
  version: versionOf('axios-token-interceptor'),
  bare: 'bare-axios',
  async start({ apiUrl, tokenEndpoint, clientId, clientSecret }) {
    const httpAgent = new Agent({ keepAlive: true })
    const auth = { username: clientId, password: clientSecret }
    const form = new URLSearchParams({ grant_type: 'client_credentials' })
    const requestToken = async () => (await axios.post<TokenAnswer>(tokenEndpoint, form, { auth, httpAgent })).data
    const cache = tokenProvider.tokenCache(requestToken, { getMaxAge: (body) => body.expires_in * 1000 })
    const instance = axios.create({ httpAgent, validateStatus: () => true })
    instance.interceptors.request.use(
      tokenProvider({ getToken: cache, headerFormatter: (body: TokenAnswer) => `Bearer ${body.access_token}` }),
    )
    return {
      call: async () => (await instance.get(apiUrl)).status,
      async close() {
        httpAgent.destroy()
      },
    }
  },
} satisfies Contender

interface TokenAnswer {
  access_token: string
  expires_in: number
}
