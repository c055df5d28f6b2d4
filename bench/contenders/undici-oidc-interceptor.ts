/**
 * undici-oidc-interceptor on undici 7, which it depends on. On undici 8 it adds the token but cannot replay: it finds itself
 * by an option that undici 8 no longer hands to interceptors.
 */
import { Agent, request } from 'undici-7'
import { createOidcInterceptor } from 'undici-oidc-interceptor'
import type { Contender } from '../contender.ts'
import { versionOf } from '../version-of.ts'

export default {
  name: 'undici-oidc-interceptor',
  version: versionOf('undici-oidc-interceptor'),
  bare: 'bare-undici-7',
  async start({ apiUrl, tokenEndpoint, clientId, clientSecret }) {
    const agent = new Agent()
    const interceptor = createOidcInterceptor({
      clientId,
      clientSecret,
      idpTokenUrl: tokenEndpoint,
      retryOnStatusCodes: [401],
      urls: [new URL(apiUrl).origin],
    })
    const dispatcher = agent.compose(interceptor)
    return {
      async call() {
        const { statusCode, body } = await request(apiUrl, { dispatcher })
        await body.dump()
        return statusCode
      },
      close: () => agent.close(),
    }
  },
} satisfies Contender
