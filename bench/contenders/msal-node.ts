/**
 * @azure/msal-node's confidential client. It takes https authorities alone, so its `networkClient`, the documented way to bring
 * one's own HTTP client, sends what is meant for that authority to the token endpoint of this benchmark. It has no HTTP
 * client for the API: Node's built-in fetch. Its cache, its margin of five minutes and its throttling are its own.
 */
import {
  ConfidentialClientApplication,
  type INetworkModule,
  type NetworkRequestOptions,
  type NetworkResponse,
} from '@azure/msal-node'
import type { Contender } from '../contender.ts'
import { closeBuiltInConnections } from './built-in-connections.ts'
import { versionOf } from '../version-of.ts'

const authority = 'https://as.example/tenant'

export default {
  name: '@azure/msal-node',
  version: versionOf('@azure/msal-node'),
  bare: 'bare-node-fetch',
  async start({ apiUrl, tokenEndpoint, clientId, clientSecret }) {
    const networkClient: INetworkModule = {
      sendGetRequestAsync: () => Promise.reject(new Error('nothing is to be discovered')),
      async sendPostRequestAsync<T>(
        _url: string,
        { headers = {}, body = '' }: NetworkRequestOptions = {},
      ): Promise<NetworkResponse<T>> {
        const response = await fetch(tokenEndpoint, { method: 'POST', headers, body })
        const answer = (await response.json()) as T
        return { headers: Object.fromEntries(response.headers), body: answer, status: response.status }
      },
    }
    const application = new ConfidentialClientApplication({
      auth: {
        clientId,
        clientSecret,
        authority,
        knownAuthorities: ['as.example'],
        authorityMetadata: JSON.stringify({
          issuer: authority,
          authorization_endpoint: `${authority}/authorize`,
          token_endpoint: `${authority}/token`,
          jwks_uri: `${authority}/keys`,
        }),
      },
      system: { networkClient },
    })
    const request = { scopes: ['https://api.example/.default'] }
    return {
      async call() {
        const result = await application.acquireTokenByClientCredential(request)
        const response = await fetch(apiUrl, { headers: { authorization: `Bearer ${result?.accessToken}` } })
        await response.text()
        return response.status
      },
      close: closeBuiltInConnections,
    }
  },
} satisfies Contender
