import { randomUUID } from 'node:crypto'
import { createAccessToken, type CachedToken } from '@tokenwell/core'
import { Redis } from 'ioredis'
import { Redis as Redis5 } from 'ioredis-5'
import { createRedisServer, type RedisSentinel, type RedisServer } from '@tokenwell/testing'
import { createClient, createSentinel } from 'redis'
import { createClient as createClient5, createSentinel as createSentinel5 } from 'redis-5'
import { afterAll, beforeAll, expect, onTestFinished } from 'vitest'
import type { RedisClient } from '../src/index.ts'

/** A key of 32 bytes, different for each number. */
export const encryptionKey = (number: number) => Buffer.alloc(32, number).toString('base64url')
export const encryptionKeys = [encryptionKey(1)]

const ignore = () => undefined

/** One client of each kind, connected, and closed when the test is over. */
export const connect: Record<string, (url: string) => Promise<RedisClient>> = {
  'redis 6, RESP3': (url: string) => nodeRedis(createClient({ url, RESP: 3 })),
  'redis 6, RESP2': (url: string) => nodeRedis(createClient({ url, RESP: 2 })),
  'redis 5': (url: string) => nodeRedis(createClient5({ url })),
  'ioredis 6': (url: string) => ioRedis(new Redis(url)),
  'ioredis 5': (url: string) => ioRedis(new Redis5(url)),
}

/** One client of each kind, connected to the primary that a sentinel names. */
export const bySentinel: readonly ((fleet: RedisSentinel) => Promise<RedisClient>)[] = [
  (fleet) => nodeRedis(createSentinel(namedBy(fleet))),
  (fleet) => nodeRedis(createSentinel5(namedBy(fleet))),
  (fleet) => ioRedis(new Redis({ name: fleet.name, sentinels: [addressOf(fleet)] })),
  (fleet) => ioRedis(new Redis5({ name: fleet.name, sentinels: [addressOf(fleet)] })),
]
const addressOf = ({ sentinel }: RedisSentinel) => ({ host: '127.0.0.1', port: sentinel.port })
const namedBy = (fleet: RedisSentinel) => ({
  name: fleet.name,
  sentinelRootNodes: [addressOf(fleet)],
  scanInterval: 100,
})

export interface NodeRedisLike {
  connect(): Promise<unknown>
  destroy(): unknown
  on(event: 'error', listener: () => void): unknown
}

export async function nodeRedis<Client extends NodeRedisLike>(client: Client): Promise<Client> {
  client.on('error', ignore)
  await client.connect()
  onTestFinished(async () => {
    try {
      await client.destroy()
    } catch {}
  })
  return client
}

interface IoRedisLike {
  readonly status: string
  disconnect(): void
  on(event: 'error', listener: () => void): unknown
  once(event: 'ready', listener: () => void): unknown
}

export async function ioRedis<Client extends IoRedisLike>(client: Client): Promise<Client> {
  client.on('error', ignore)
  onTestFinished(() => client.disconnect())
  if (client.status !== 'ready') await new Promise<void>((resolve) => void client.once('ready', () => resolve()))
  return client
}

/** A Redis that other tests use too, and what the names of this test's keys start with. */
export interface TestRedis {
  readonly url: string
  readonly prefix: string
}

/** For the tests of one file that break no Redis: that of `REDIS_URL`, or one of the file's own. */
export function testRedis(): () => TestRedis {
  let server: RedisServer | undefined
  const given = process.env['REDIS_URL']
  beforeAll(async () => {
    if (given === undefined) server = await createRedisServer()
  })
  afterAll(() => server?.close())
  return () => ({ url: given ?? server?.url ?? expect.fail('no Redis'), prefix: `test-${randomUUID()}` })
}

/** A token as a source keeps it. */
export function entryOf(generation: string, value = `token-${generation}`, lifetimeMs = 600_000): CachedToken {
  const start = { wall: Date.now(), monotonic: performance.now() }
  return {
    token: createAccessToken({
      value,
      tokenType: 'Bearer',
      expiresAt: start.wall + lifetimeMs,
      generation,
      scope: 'a b',
    }),
    lifetime: { start, lifetimeMs, renewAfterMs: lifetimeMs * 0.8, usableForMs: lifetimeMs * 0.95 },
  }
}
