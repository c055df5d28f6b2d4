import type { TokenCache } from '@tokenwell/core'
import type { Cluster, Redis } from 'ioredis'
import type { Cluster as Cluster5, Redis as Redis5 } from 'ioredis-5'
import type { createClient, createCluster, createSentinel } from 'redis'
import type {
  createClient as createClient5,
  createCluster as createCluster5,
  createSentinel as createSentinel5,
} from 'redis-5'
import { redisTokenCache, type RedisClient } from '../src/index.ts'

declare const clients: [
  ReturnType<typeof createClient>,
  ReturnType<typeof createCluster>,
  ReturnType<typeof createSentinel>,
  ReturnType<typeof createClient5>,
  ReturnType<typeof createCluster5>,
  ReturnType<typeof createSentinel5>,
  Redis,
  Cluster,
  Redis5,
  Cluster5,
]

export const each: readonly RedisClient[] = clients
export const cache: TokenCache = redisTokenCache(clients[0], { encryptionKeys: [new Uint8Array(32)] })
export const clear: TokenCache = redisTokenCache(clients[6], { encryption: 'none', prefix: 'orders' })

// @ts-expect-error: how tokens are stored must be said
redisTokenCache(clients[0])
// @ts-expect-error: there is one word for no encryption
redisTokenCache(clients[0], { encryption: false })
// @ts-expect-error: a URL is no client
redisTokenCache('redis://localhost', { encryption: 'none' })
