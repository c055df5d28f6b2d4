import { clientSecretBasic, createUpstreams } from '@tokenwell/core'
import { redisTokenCache, type RedisClient } from '@tokenwell/redis'

/** Where everything is. */
export interface Settings {
  readonly apiUrl: string
  readonly issuer: string
  readonly clientId: string
  readonly secret: string
  /** The same in every process. */
  readonly encryptionKey: string
}

/** The API that is called, with tokens that all processes share. */
export function createFleetUpstreams(client: RedisClient, settings: Settings) {
  const { apiUrl, issuer, clientId, secret, encryptionKey } = settings
  const cache = redisTokenCache(client, { encryptionKeys: [encryptionKey] })
  return createUpstreams({
    billing: {
      baseUrl: apiUrl,
      oauth: { issuer, clientId, clientAuth: clientSecretBasic(secret), scope: 'invoices:read', cache },
    },
  })
}
