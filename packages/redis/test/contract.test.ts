import { tokenCacheContract } from '@tokenwell/testing'
import { describe, expect, it } from 'vitest'
import { redisTokenCache, type RedisTokenCacheOptions } from '../src/index.ts'
import { connect, encryptionKeys, entryOf, testRedis } from './clients.ts'

const testRedisOf = testRedis()

const sealings: [string, RedisTokenCacheOptions][] = [
  ['encrypted', { encryptionKeys }],
  ['in clear text', { encryption: 'none' }],
]

describe.each(Object.entries(connect))('by %s', (_name, connected) => {
  describe.each(sealings)('%s', (_sealing, options) => {
    const contract = tokenCacheContract({
      create: async () =>
        redisTokenCache(await connected(testRedisOf().url), { ...options, prefix: testRedisOf().prefix }),
      createEntry: ({ generation, value, lifetimeMs }) => entryOf(generation, value, lifetimeMs),
      describe: ({ token }) => ({ generation: token.generation, value: token.value }),
    })
    for (const { name, run } of contract) it(name, run)
  })

  it('a lease is one process’s at a time, whose release is its own', async () => {
    const { url, prefix } = testRedisOf()
    const one = redisTokenCache(await connected(url), { encryptionKeys, prefix })
    const other = redisTokenCache(await connected(url), { encryptionKeys, prefix })
    const { lease = expect.fail() } = await one.leases.acquire('k', 60_000)
    expect(await other.leases.acquire('k', 60_000)).toEqual({ lease: undefined, pausedMs: 0 })
    const alone = await other.leases.fence('k')
    expect(alone.fence).toBeGreaterThan(lease.fence)
    await other.leases.release('k', { fence: 1, owner: 'somebody else' })
    expect((await other.leases.acquire('k', 60_000)).lease).toBeUndefined()
    await one.leases.release('k', lease)
    expect((await other.leases.acquire('k', 60_000)).lease?.fence).toBeGreaterThan(alone.fence)
  })
})
