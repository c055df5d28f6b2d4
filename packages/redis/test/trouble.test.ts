import { setTimeout } from 'node:timers/promises'
import { createRedisServer } from '@tokenwell/testing'
import { Redis } from 'ioredis'
import { createClient } from 'redis'
import { describe, expect, it, onTestFinished } from 'vitest'
import { redisTokenCache, type IoRedisClient } from '../src/index.ts'
import { acquireScript } from '../src/scripts.ts'
import { connect, encryptionKeys, ioRedis, nodeRedis } from './clients.ts'

async function ownRedis() {
  const server = await createRedisServer()
  onTestFinished(() => server.close())
  return server
}

const failed = (ends: readonly PromiseSettledResult<unknown>[]) => ends.every(({ status }) => status === 'rejected')

describe.each(Object.entries(connect))('by %s', (_name, connected) => {
  it('a client without a connection is given nothing to keep until it has one', async () => {
    const redis = await ownRedis()
    const client = await connected(redis.url)
    const caches = Array.from({ length: 20 }, () => redisTokenCache(client, { encryptionKeys }))
    await redis.kill()
    const isReady = () => ('status' in client ? client.status === 'ready' : 'isReady' in client && client.isReady)
    await expect.poll(isReady).toBe(false)
    expect(failed(await Promise.allSettled(caches.map(({ leases }) => leases.acquire('k', 1000))))).toBe(true)
    await redis.restart()
    await expect.poll(isReady).toBe(true)
    // Whatever was kept was sent before this.
    await redisTokenCache(client, { encryptionKeys }).get('k')
    expect(await redis.command('INFO', 'commandstats')).toMatch(/cmdstat_eval:calls=1,/)
  })

  it('a Redis that stands still is sent no more than the first operation', async () => {
    const redis = await ownRedis()
    const cache = redisTokenCache(await connected(redis.url), { encryptionKeys })
    redis.pause()
    for (let calls = 0; calls < 20; calls++) await expect(cache.get('k')).rejects.toThrow(/in time|left alone/)
    redis.resume()
    await expect.poll(() => redis.command('INFO', 'commandstats')).toMatch(/cmdstat_(eval|ping|info)/)
    expect(await redis.command('INFO', 'commandstats')).not.toMatch(/cmdstat_eval:calls=(?!1,)/)
  })
})

it('a lease whose answer came too late is given back', async () => {
  const redis = await ownRedis()
  const real = await ioRedis(new Redis(redis.url))
  const slow: IoRedisClient = {
    status: 'ready',
    async call(command, ...args) {
      const answer = await real.call(command, ...args)
      if (args[0] === acquireScript) await setTimeout(300)
      return answer
    },
  }
  const cache = redisTokenCache(slow, { encryptionKeys })
  await expect(cache.leases.acquire('k', 60_000)).rejects.toThrow('in time')
  expect(await real.keys('*:lock')).toHaveLength(1)
  await expect.poll(() => real.keys('*:lock')).toEqual([])
})

it('one cache serves several sources, and two of one client keep apart by their prefixes', async () => {
  const redis = await ownRedis()
  const client = await nodeRedis(createClient({ url: redis.url }))
  const caches = ['a', 'b'].map((prefix) => redisTokenCache(client, { encryptionKeys, prefix }))
  const leases = await Promise.all(caches.map((cache) => cache.leases.acquire('k', 60_000)))
  expect(leases.map(({ lease }) => lease?.fence)).toEqual([1, 1])
  expect((await client.keys('*:lock')).toSorted()).toEqual(['a:{k}:lock', 'b:{k}:lock'])
})
