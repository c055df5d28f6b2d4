import { createRedisCluster, type RedisCluster } from '@tokenwell/testing'
import { Cluster } from 'ioredis'
import { Cluster as Cluster5 } from 'ioredis-5'
import { createCluster } from 'redis'
import { createCluster as createCluster5 } from 'redis-5'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { redisTokenCache, type RedisClient } from '../src/index.ts'
import { encryptionKeys, entryOf, ioRedis, nodeRedis } from './clients.ts'

describe('a Cluster of three', () => {
  let cluster: RedisCluster
  beforeAll(async () => void (cluster = await createRedisCluster()))
  afterAll(() => cluster.close())
  const urls = () => cluster.nodes.map(({ url }) => ({ url }))
  const hosts = () => cluster.nodes.map(({ port }) => ({ host: '127.0.0.1', port }))

  it.each<[string, () => Promise<RedisClient>]>([
    ['redis 6', () => nodeRedis(createCluster({ rootNodes: urls() }))],
    ['redis 5', () => nodeRedis(createCluster5({ rootNodes: urls() }))],
    ['ioredis 6', () => ioRedis(new Cluster(hosts()))],
    ['ioredis 5', () => ioRedis(new Cluster5(hosts()))],
  ])('keeps tokens of all slots, by %s', async (name, connected) => {
    const cache = redisTokenCache(await connected(), { encryptionKeys, prefix: name })
    const keys = Array.from({ length: 30 }, (_, index) => `key-${index}`)
    for (const key of keys) {
      const { lease = expect.fail() } = await cache.leases.acquire(key, 10_000)
      await cache.set(key, entryOf(`g-${key}`), { remainingMs: 60_000, lease })
      await cache.leases.release(key, lease)
      expect((await cache.get(key))?.token.generation).toBe(`g-${key}`)
    }
    const sizes = await Promise.all(cluster.nodes.map((node) => node.command('DBSIZE')))
    expect(sizes.every((size) => Number(size.slice(1)) > 0)).toBe(true)
    for (const key of keys) expect(await cache.delete(key, `g-${key}`)).toBe(true)
  })
})
