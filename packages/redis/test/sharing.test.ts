import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { setTimeout } from 'node:timers/promises'
import { inspect } from 'node:util'
import { createRedisServer, tokenReply } from '@tokenwell/testing'
import { createClient } from 'redis'
import { describe, expect, it, onTestFinished } from 'vitest'
import { redisTokenCache, type RedisCacheEvent } from '../src/index.ts'
import { encryptionKey, encryptionKeys, entryOf, nodeRedis, testRedis, type TestRedis } from './clients.ts'
import { join, tokenEndpoint } from './fleet.ts'

const testRedisOf = testRedis()

function events(): RedisCacheEvent[] {
  const seen: RedisCacheEvent[] = []
  const listener = (event: unknown) => void seen.push(event as RedisCacheEvent)
  subscribe('tokenwell:redis', listener)
  onTestFinished(() => void unsubscribe('tokenwell:redis', listener))
  return seen
}

/** This test's key of this kind. */
async function keyOf(client: Keys, { prefix }: TestRedis, kind: string): Promise<string> {
  const [key = expect.fail(`no ${kind}`), ...more] = await client.keys(`${prefix}:*:${kind}`)
  expect(more).toEqual([])
  return key
}

interface Keys {
  keys(pattern: string): Promise<string[]>
}

/** The lease is given back after the token was handed out, and that is the last of it. */
const quiet = (client: Keys, { prefix = '' }: Partial<TestRedis>) =>
  expect.poll(() => client.keys(`${prefix}*:lock`)).toEqual([])

describe('a fleet', () => {
  it('makes one token request for first callers in every process', async () => {
    const redis = testRedisOf()
    const release = Promise.withResolvers<void>()
    const server = await tokenEndpoint(async () => {
      await release.promise
      return tokenReply()
    })
    const fleet = await Promise.all(Array.from({ length: 8 }, () => join(server, redis)))
    const waiting = fleet.flatMap(({ source }) => Array.from({ length: 8 }, () => source.get()))
    await expect.poll(() => server.requests.length).toBe(1)
    await setTimeout(300)
    release.resolve()
    const tokens = await Promise.all(waiting)
    expect(new Set(tokens.map(({ value }) => value)).size).toBe(1)
    expect(server.requests).toHaveLength(1)
  })

  it('asks Redis nothing while a fresh token is in memory', async () => {
    await using redis = await createRedisServer()
    const { source, client } = await join(await tokenEndpoint(), redis)
    await source.get()
    await quiet(client, {})
    const commandsDone = async () => /total_commands_processed:(\d+)/.exec(await redis.command('INFO', 'stats'))?.[1]
    const before = Number(await commandsDone())
    for (let calls = 0; calls < 1000; calls++) await source.get()
    // One is the question before.
    expect(Number(await commandsDone())).toBe(before + 1)
  })

  it('renews a stale token once, and nobody waits for that', async () => {
    const redis = testRedisOf()
    let lifetime = 5
    const server = await tokenEndpoint(() => tokenReply({ expiresIn: lifetime }))
    const renewal = { jitter: 0 }
    const fleet = await Promise.all(Array.from({ length: 4 }, () => join(server, redis, { renewal })))
    const [first] = await Promise.all(fleet.map(({ source }) => source.get()))
    lifetime = 600
    await setTimeout(3050)
    const stale = await Promise.all(fleet.map(({ source }) => source.get()))
    expect(new Set(stale.map(({ value }) => value))).toEqual(new Set([first?.value]))
    // Those who did not get the lease find the new one when they look again, which is before the old one ends.
    await expect
      .poll(async () => {
        await Promise.all(fleet.map(({ source }) => source.get()))
        return fleet.every(({ source }) => ![undefined, first?.value].includes(source.peek()?.value))
      })
      .toBe(true)
    expect(server.requests).toHaveLength(2)
  })

  it('replaces a refused token once: who is late finds the new one without asking', async () => {
    const redis = testRedisOf()
    const server = await tokenEndpoint()
    const [one, other] = [await join(server, redis), await join(server, redis)]
    const refused = await one.source.get()
    const same = await other.source.get()
    expect(same.generation).toBe(refused.generation)
    expect(one.source.invalidate(refused)).toBe(true)
    const replaced = await one.source.get()
    await quiet(one.client, redis)
    expect(other.source.invalidate(same)).toBe(true)
    expect((await other.source.get()).generation).toBe(replaced.generation)
    expect(server.requests).toHaveLength(2)
  })

  // regressions J35
  it('leaves an authorization server alone that asked one of it to be', async () => {
    const redis = testRedisOf()
    const server = await tokenEndpoint({ status: 429, headers: { 'retry-after': '30' } })
    const [one, other] = [await join(server, redis), await join(server, redis)]
    await expect(one.source.get()).rejects.toMatchObject({ tokenEndpointStatus: 429 })
    await expect.poll(() => one.client.keys(`${redis.prefix}:*:na`)).toHaveLength(1)
    const error = await other.source.get().catch((caught: unknown) => caught)
    expect(error).toMatchObject({ code: 'ERR_TOKENWELL_TOKEN_ENDPOINT_UNREACHABLE', fromCache: true })
    expect((error as { retryAt: number }).retryAt - Date.now()).toBeGreaterThan(25_000)
    expect(server.requests).toHaveLength(1)
  })

  it('hears of no other failure', async () => {
    const redis = testRedisOf()
    const server = await tokenEndpoint({ status: 401, body: { error: 'invalid_client' } })
    const [one, other] = [await join(server, redis), await join(server, redis)]
    await expect(one.source.get()).rejects.toMatchObject({ error: 'invalid_client' })
    server.respondWith(() => tokenReply())
    expect((await other.source.get()).tokenType).toBe('Bearer')
  })
})

describe('a late write', () => {
  // regressions S35
  it('of who had the lease too long ago is refused, and answered with the newer token', async () => {
    const seen = events()
    const redis = testRedisOf()
    const client = await nodeRedis(createClient({ url: redis.url }))
    const cache = redisTokenCache(client, { encryptionKeys, prefix: redis.prefix })
    const slow = await cache.leases.fence('k')
    const quick = await cache.leases.fence('k')
    await cache.set('k', entryOf('new'), { remainingMs: 1000, lease: quick })
    const instead = await cache.set('k', entryOf('old'), { remainingMs: 600_000, lease: slow })
    expect(instead?.token.generation).toBe('new')
    expect((await cache.get('k'))?.token.generation).toBe('new')
    expect(seen).toEqual([{ type: 'late' }])
  })

  it('does not bring back what was asked for before a refusal, not even when the fence was lost', async () => {
    const redis = testRedisOf()
    const client = await nodeRedis(createClient({ url: redis.url }))
    const cache = redisTokenCache(client, { encryptionKeys, prefix: redis.prefix })
    await cache.set('k', entryOf('g1'))
    const before = await cache.leases.fence('k')
    expect(await cache.delete('k', 'g1')).toBe(true)
    expect(await cache.set('k', entryOf('g2'), { remainingMs: 1000, lease: before })).toBeUndefined()
    expect(await cache.get('k')).toBeUndefined()
    await client.del(await keyOf(client, redis, 'fence'))
    const after = await cache.leases.fence('k')
    expect(after.fence).toBeGreaterThan(before.fence)
    await cache.set('k', entryOf('g3'), { remainingMs: 1000, lease: after })
    expect((await cache.get('k'))?.token.generation).toBe('g3')
  })

  it('that was held up on its way makes no token live longer', async () => {
    const redis = testRedisOf()
    const client = await nodeRedis(createClient({ url: redis.url }))
    const cache = redisTokenCache(client, { encryptionKeys, prefix: redis.prefix })
    const lease = await cache.leases.fence('k')
    const writing = cache.set('k', entryOf('g1'), { remainingMs: 400, lease })
    const redisNow = Date.now()
    await writing
    const end = Number(await client.sendCommand(['PEXPIRETIME', await keyOf(client, redis, 'tok')]))
    expect(end).toBeLessThanOrEqual(redisNow + 401)
    await setTimeout(450)
    await cache.set('k', entryOf('g2'), { remainingMs: 0, lease })
    expect(await cache.get('k')).toBeUndefined()
  })
})

describe('what is in Redis', () => {
  // regressions J62
  it('tells nothing of the token, the client or the server', async () => {
    const redis = testRedisOf()
    const server = await tokenEndpoint()
    const { source, client } = await join(server, redis, { scope: 'invoices:read' })
    const { value } = await source.get()
    await quiet(client, redis)
    const record = await client.hGetAll(await keyOf(client, redis, 'tok'))
    const all = JSON.stringify([await client.keys(`${redis.prefix}*`), record])
    const header = Buffer.from(record['data']?.split('.')[0] ?? '', 'base64url').toString()
    for (const secret of [value, 's3cret', 'orders', 'invoices', server.url, 'Bearer', ...encryptionKeys]) {
      expect(all + header).not.toContain(secret)
    }
    expect(await client.keys(`${redis.prefix}*`)).toHaveLength(2)
  })

  it('is readable where that was written out', async () => {
    const redis = testRedisOf()
    const { source, client } = await join(await tokenEndpoint(), redis, { redis: { encryption: 'none' } })
    const { value } = await source.get()
    await quiet(client, redis)
    expect((await client.hGetAll(await keyOf(client, redis, 'tok')))['data']).toContain(value)
  })

  it('is read by a key that was replaced, as long as that is in the ring', async () => {
    const redis = testRedisOf()
    const client = await nodeRedis(createClient({ url: redis.url }))
    const { prefix } = redis
    const [first, second] = [encryptionKey(1), encryptionKey(2)]
    await redisTokenCache(client, { encryptionKeys: [first], prefix }).set('k', entryOf('g1'))
    const rotated = redisTokenCache(client, { encryptionKeys: [second, first], prefix })
    expect((await rotated.get('k'))?.token.value).toBe('token-g1')
    await rotated.set('k', entryOf('g2'))
    expect(await redisTokenCache(client, { encryptionKeys: [first], prefix }).get('k')).toBeUndefined()
    expect((await redisTokenCache(client, { encryptionKeys: [second], prefix }).get('k'))?.token.value).toBe('token-g2')
  })

  it('shows in no inspection of the cache, its leases or its options’ errors', async () => {
    const redis = testRedisOf()
    const client = await nodeRedis(createClient({ url: redis.url }))
    const cache = redisTokenCache(client, { encryptionKeys, prefix: redis.prefix })
    expect(inspect(cache, { depth: 10, showHidden: true }) + JSON.stringify(cache)).not.toContain(encryptionKeys[0])
    expect(() => redisTokenCache(client, { encryptionKeys: ['short-secret'] })).toThrow(
      new TypeError('redisTokenCache: encryptionKeys[0]: expected 32 bytes, as they are or in base64url'),
    )
  })
})

it.each<[string, unknown, string]>([
  ['no keys', {}, "encryptionKeys: expected a list of keys; without any, write encryption: 'none'"],
  ['an empty ring', { encryptionKeys: [] }, 'encryptionKeys: expected at least one key'],
  [
    'a password that decodes to enough bytes',
    { encryptionKeys: ['correct horse battery staple, then another staples!'] },
    'encryptionKeys[0]: expected 32 bytes, as they are or in base64url',
  ],
  ['keys beside none', { encryptionKeys, encryption: 'none' }, "encryptionKeys: not beside encryption: 'none'"],
  ['another encryption', { encryptionKeys, encryption: 'rot13' }, "encryption: expected 'none', or nothing"],
  ['braces in the prefix', { encryptionKeys, prefix: 'a{b}' }, 'prefix: expected 1 to 100 characters without braces'],
  ['an unknown option', { encryptionKeys, ttl: 1 }, 'ttl: no such option'],
])('refuses %s', (_name, options, message) => {
  const client = { status: 'ready', call: async () => null }
  expect(() => redisTokenCache(client, options as never)).toThrow(new TypeError(`redisTokenCache: ${message}`))
})

it('refuses what is no client', () => {
  for (const client of [null, {}, 'redis://localhost']) {
    expect(() => redisTokenCache(client as never, { encryptionKeys })).toThrow(
      new TypeError('redisTokenCache: client: expected a client of redis or ioredis'),
    )
  }
})
