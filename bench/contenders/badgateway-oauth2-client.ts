/** `OAuth2Fetch` of @badgateway/oauth2-client, which keeps the token, replays after a 401 and is on Node's built-in fetch. */
import { OAuth2Client, OAuth2Fetch } from '@badgateway/oauth2-client'
import type { Contender } from '../contender.ts'
import { closeBuiltInConnections } from './built-in-connections.ts'
import { versionOf } from '../version-of.ts'

export default {
  name: '@badgateway/oauth2-client',
  version: versionOf('@badgateway/oauth2-client'),
  bare: 'bare-node-fetch',
  async start({ apiUrl, tokenEndpoint, clientId, clientSecret }) {
    const client = new OAuth2Client({ tokenEndpoint, clientId, clientSecret })
    const wrapper = new OAuth2Fetch({ client, getNewToken: () => client.clientCredentials() })
    return {
      async call() {
        const response = await wrapper.fetch(apiUrl)
        await response.text()
        return response.status
      },
      close: closeBuiltInConnections,
    }
  },
} satisfies Contender
