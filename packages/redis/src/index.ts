export { redisTokenCache } from './redis-token-cache.ts'
export type { RedisTokenCache } from './redis-token-cache.ts'
export type { RedisTokenCacheOptions } from './options.ts'
export type { EncryptionKey } from './key-ring.ts'
export type {
  IoRedisClient,
  NodeRedisClient,
  NodeRedisCluster,
  NodeRedisSentinel,
  RedisClient,
} from './redis-client.ts'
export type { RedisCacheEvent } from './events.ts'
