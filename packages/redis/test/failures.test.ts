import { fork, type ChildProcess } from 'node:child_process'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { connect, createServer, type AddressInfo } from 'node:net'
import { join as joinPath } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import type { TokenSource } from '@tokenwell/core'
import {
  createRedisSentinel,
  createRedisServer,
  tokenReply,
  type RedisServer,
  type ScriptedServer,
} from '@tokenwell/testing'
import { createClient } from 'redis'
import { afterAll, expect, it, onTestFinished } from 'vitest'
import { redisTokenCache, type RedisCacheEvent, type RedisTokenCache } from '../src/index.ts'
import { bySentinel, encryptionKey, encryptionKeys, entryOf, nodeRedis } from './clients.ts'
import { documented, markdownTable } from './document-table.ts'
import { clockOff, join, skippedTime, sourceAt, tokenEndpoint, type Member } from './fleet.ts'

/** What is in the README: each failure with what the test below it saw. */
const rows: (readonly [failure: string, happens: string])[] = []

function failure(name: string, happens: string, check: (setting: Setting) => Promise<void>): void {
  rows.push([name, happens])
  it(`${name}: ${happens}`, async () => {
    const redis = await createRedisServer()
    onTestFinished(() => redis.close())
    await check({ redis, server: await tokenEndpoint(), events: events() })
  })
}

interface Setting {
  readonly redis: RedisServer
  readonly server: ScriptedServer
  readonly events: RedisCacheEvent[]
}

function events(): RedisCacheEvent[] {
  const seen: RedisCacheEvent[] = []
  const listener = (event: unknown) => void seen.push(event as RedisCacheEvent)
  subscribe('tokenwell:redis', listener)
  onTestFinished(() => void unsubscribe('tokenwell:redis', listener))
  return seen
}

/** Milliseconds until there is a token. */
async function timed(source: TokenSource): Promise<number> {
  const began = performance.now()
  await source.get()
  return performance.now() - began
}

const quiet = (member: Member) => expect.poll(() => member.client.keys('*:lock')).toEqual([])
const isReady = (member: Member) => expect.poll(() => member.client.isReady).toBe(true)

async function memberProcess(redis: RedisServer, server: ScriptedServer, more = {}): Promise<ChildProcess> {
  const setting = { redisUrl: redis.url, tokenEndpoint: `${server.url}/token`, timeoutMs: 10_000, ...more }
  const child = fork(joinPath(import.meta.dirname, 'member-process.ts'), {
    env: { ...process.env, TOKENWELL_MEMBER: JSON.stringify(setting) },
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  await once(child, 'message')
  return child
}

// regressions S34
failure(
  'Redis does not answer',
  'the first call takes 250 ms longer, the calls of the next 5 s nothing',
  async ({ redis, server, events: seen }) => {
    const members = [await join(server, redis), await join(server, redis, { scope: 'other' })]
    const [one = expect.fail(), other = expect.fail()] = members
    redis.pause()
    onTestFinished(() => redis.resume())
    const took = await timed(one.source)
    expect(took).toBeGreaterThan(240)
    expect(took).toBeLessThan(1000)
    one.source.invalidate(await one.source.get())
    expect(await timed(one.source)).toBeLessThan(240)
    expect(seen[0]).toEqual({ type: 'failed', operation: 'get', reason: 'timeout', pauseMs: 5000 })
    expect(await timed(other.source)).toBeLessThan(1000)
    expect(server.requests).toHaveLength(3)
  },
)

failure(
  'Redis is slow (300 ms per operation)',
  'the first call takes 250 ms longer, the calls of the next 5 s nothing',
  async ({ redis, server, events: seen }) => {
    const client = await nodeRedis(createClient({ url: `redis://127.0.0.1:${await slowWayTo(redis, 300)}` }))
    const cache = redisTokenCache(client, { encryptionKeys })
    const took = await timed(sourceAt(server, { cache }))
    expect(took).toBeGreaterThan(240)
    expect(took).toBeLessThan(1000)
    expect(await timed(sourceAt(server, { cache }))).toBeLessThan(240)
    expect(seen).toEqual([{ type: 'failed', operation: 'get', reason: 'timeout', pauseMs: 5000 }])
  },
)

// regressions S14
failure(
  'Redis does not answer while a token is renewed',
  'nobody waits; the authorization server is asked without it',
  async ({ redis, server }) => {
    let ahead = 0
    const real = clockOff(0)
    const clock = { ...real, now: () => real.now() + ahead, monotonic: () => real.monotonic() + ahead }
    const { source, client } = await join(server, redis, { clock })
    const token = await source.get()
    await expect.poll(() => client.keys('*:lock')).toEqual([])
    redis.pause()
    onTestFinished(() => redis.resume())
    ahead = (token.expiresAt - clock.now()) * 0.9
    const began = performance.now()
    expect(await source.get()).toBe(token)
    expect(performance.now() - began).toBeLessThan(100)
    await expect.poll(() => source.peek()).not.toBeOneOf([undefined, token])
    expect(server.requests).toHaveLength(2)
  },
)

failure(
  'Redis is gone',
  'calls go on without it at once; when it is back it is used again within 5 s',
  async ({ redis, server, events: seen }) => {
    const skip = skippedTime()
    const [one, other] = [await join(server, redis), await join(server, redis)]
    const token = await one.source.get()
    await quiet(one)
    await redis.kill()
    await expect.poll(() => one.client.isReady || other.client.isReady).toBe(false)
    expect(one.source.peek()).toBe(token)
    expect(await timed(other.source)).toBeLessThan(240)
    expect(server.requests).toHaveLength(2)
    expect(seen[0]).toMatchObject({ type: 'failed', reason: 'not connected' })
    await redis.restart()
    await isReady(other)
    skip(5000)
    // The first operation is to see, and nothing else is sent meanwhile.
    other.source.invalidate(await other.source.get())
    await expect.poll(() => seen).toContainEqual({ type: 'resumed', operation: 'delete' })
    other.source.invalidate(await other.source.get())
    const renewed = await other.source.get()
    await quiet(other)
    const late = await join(server, redis)
    expect((await late.source.get()).generation).toBe(renewed.generation)
  },
)

failure('Redis was flushed', 'one more token request, and all share again', async ({ redis, server }) => {
  const [one, other, third] = [await join(server, redis), await join(server, redis), await join(server, redis)]
  await one.source.get()
  await quiet(one)
  await redis.command('FLUSHALL')
  const token = await other.source.get()
  await quiet(other)
  expect((await third.source.get()).generation).toBe(token.generation)
  expect(server.requests).toHaveLength(2)
})

failure('Redis is full', 'calls go on; each process asks for itself', async ({ redis, server, events: seen }) => {
  await redis.command('CONFIG', 'SET', 'maxmemory', '1')
  const [one, other] = [await join(server, redis), await join(server, redis)]
  expect(await timed(one.source)).toBeLessThan(240)
  expect(await timed(other.source)).toBeLessThan(240)
  expect(server.requests).toHaveLength(2)
  expect(seen[0]).toMatchObject({ type: 'failed', operation: 'acquire', reason: 'error' })
})

failure(
  'Redis is read-only, as a replica is',
  'tokens that are there are used; for others each process asks for itself',
  async ({ redis, server, events: seen }) => {
    const one = await join(server, redis)
    const token = await one.source.get()
    await quiet(one)
    await redis.command('REPLICAOF', '127.0.0.1', '1')
    const other = await join(server, redis)
    expect((await other.source.get()).generation).toBe(token.generation)
    const third = await join(server, redis, { scope: 'other' })
    expect(await timed(third.source)).toBeLessThan(240)
    expect(server.requests).toHaveLength(2)
    expect(seen[0]).toMatchObject({ type: 'failed', operation: 'acquire', reason: 'error' })
  },
)

failure(
  'Redis fails over to a replica that lags behind',
  'calls go on; tokens that the replica has are used again within 5 s, what it lacks costs one more token request',
  async ({ server }) => {
    const skip = skippedTime()
    const fleet = await createRedisSentinel()
    onTestFinished(() => fleet.close())
    const caches = await Promise.all(
      bySentinel.map(async (connected) => redisTokenCache(await connected(fleet), { encryptionKeys })),
    )
    const [first = expect.fail()] = caches
    const sourceOf = (cache: RedisTokenCache, scope: string) => sourceAt(server, { cache, scope })
    const one = sourceOf(first, 'replicated')
    const replicated = await one.get()
    await expect.poll(() => fleet.replica.command('KEYS', '*:tok')).toMatch(/^\*1\r/)
    // The replica hears nothing of what is written from here on.
    fleet.replica.pause()
    await fleet.primary.command('CLIENT', 'KILL', 'TYPE', 'replica')
    const lost = await sourceOf(first, 'lost').get()
    await expect.poll(() => fleet.primary.command('KEYS', '*:tok')).toMatch(/^\*2\r/)
    await fleet.primary.kill()
    fleet.replica.resume()
    expect(one.peek()).toBe(replicated)
    for (const cache of caches) expect(await timed(sourceOf(cache, 'meanwhile'))).toBeLessThan(1000)
    await fleet.failedOver()
    // Some clients connect more than once before they have settled.
    let answered = 0
    const allAnswer = async () => {
      skip(5000)
      const answers = await Promise.allSettled(caches.map(({ leases }) => leases.fence('any')))
      answered = answers.every(({ status }) => status === 'fulfilled') ? answered + 1 : 0
      return answered
    }
    await expect.poll(allAnswer, { interval: 100 }).toBeGreaterThan(5)
    const before = server.requests.length
    for (const cache of caches) {
      expect((await sourceOf(cache, 'replicated').get()).generation).toBe(replicated.generation)
    }
    expect(server.requests).toHaveLength(before)
    const again = await Promise.all(caches.map((cache) => sourceOf(cache, 'lost').get()))
    expect(new Set(again.map(({ generation }) => generation)).size).toBe(1)
    expect(again[0]?.generation).not.toBe(lost.generation)
    expect(server.requests).toHaveLength(before + 1)
  },
)

failure('Redis answers garbage', 'calls go on, at most 250 ms later', async ({ server }) => {
  const answers = createServer((socket) => {
    socket.on('error', () => undefined)
    // Well-formed to the client, which asks who it is first, and nonsense to us.
    socket.on('data', (data) => socket.write(':42\r\n'.repeat(data.toString().match(/^\*\d/gm)?.length ?? 1)))
  }).listen(0, '127.0.0.1')
  onTestFinished(() => void answers.close())
  await once(answers, 'listening')
  const client = await nodeRedis(
    createClient({ url: `redis://127.0.0.1:${(answers.address() as AddressInfo).port}`, RESP: 2 }),
  )
  const member = await join(server, await ownRedis(), { cache: redisTokenCache(client, { encryptionKeys }) })
  expect(await timed(member.source)).toBeLessThan(1000)
  expect(server.requests).toHaveLength(1)
})

// regressions S35
failure(
  'who has the lease is killed (SIGKILL)',
  'those who wait ask for themselves after 2 s',
  async ({ redis, server }) => {
    server.respondWith({ hang: true })
    const child = await memberProcess(redis, server)
    child.send('get')
    await expect.poll(() => server.requests.length).toBe(1)
    child.kill('SIGKILL')
    server.respondWith(() => tokenReply())
    const other = await join(server, redis)
    const took = await timed(other.source)
    expect(took).toBeGreaterThan(1900)
    expect(took).toBeLessThan(3800)
    expect(server.requests).toHaveLength(2)
  },
)

failure(
  'who has the lease stands still (SIGSTOP) until it is somebody else’s, and goes on',
  'its late write is refused',
  async ({ redis, server }) => {
    server.respondWith(() => tokenReply({ accessToken: 'of-the-sleeper' }))
    const child = await memberProcess(redis, server, { timeoutMs: 1000, holdWrites: true })
    const messages: unknown[] = []
    child.on('message', (message) => void messages.push(message))
    child.send('get')
    await expect.poll(() => messages).toContain('writing')
    child.kill('SIGSTOP')
    server.respondWith(() => tokenReply({ accessToken: 'newer' }))
    const other = await join(server, redis)
    // The lease lasts two seconds longer than a token request may.
    await quiet(other)
    expect((await other.source.get()).value).toBe('newer')
    await quiet(other)
    child.kill('SIGCONT')
    child.send('write')
    await expect.poll(() => messages).toContainEqual({ instead: 'newer' })
    const third = await join(server, redis)
    expect((await third.source.get()).value).toBe('newer')
    expect(server.requests).toHaveLength(2)
  },
)

// regressions S35
failure(
  'the clocks of two processes are ten minutes apart',
  'a token ends at the same moment for both',
  async ({ redis, server }) => {
    server.respondWith(() => tokenReply({ expiresIn: 300 }))
    const one = await join(server, redis)
    const token = await one.source.get()
    await quiet(one)
    for (const byMs of [600_000, -600_000]) {
      const other = await join(server, redis, { clock: clockOff(byMs) })
      const same = await other.source.get()
      expect(same.generation).toBe(token.generation)
      expect(other.source.peek()).toBe(same)
      // By the first one's clock, but for the whole milliseconds that three clocks read.
      expect(same.expiresAt - byMs).toBeGreaterThan(token.expiresAt - 5000)
      expect(same.expiresAt - byMs).toBeLessThanOrEqual(token.expiresAt + 3)
    }
    // And who wrote last was wrong by as much.
    const wrong = await join(server, redis, { scope: 'other', clock: clockOff(600_000) })
    const written = await wrong.source.get()
    await quiet(wrong)
    const right = await join(server, redis, { scope: 'other' })
    const read = await right.source.get()
    expect(read.generation).toBe(written.generation)
    expect(Math.abs(read.expiresAt - (written.expiresAt - 600_000))).toBeLessThan(5000)
    expect(server.requests).toHaveLength(2)
  },
)

// regressions S36
const spoilt: [string, (client: Member['client'], key: string) => Promise<unknown>, string][] = [
  [
    'an entry was copied to another key',
    async (client, key) => {
      const cache = redisTokenCache(client, { encryptionKeys })
      await cache.set('another', entryOf('g1'))
      await client.copy('tokenwell:{another}:tok', key, { REPLACE: true })
    },
    'of another place',
  ],
  [
    'there is something else under our keys',
    async (client, key) => {
      for (const kind of ['tok', 'lock', 'fence', 'na']) await client.set(key.replace(/tok$/, kind), 'garbage')
    },
    'another schema',
  ],
  [
    'an entry was cut short',
    async (client, key) => client.hSet(key, 'data', ((await client.hGet(key, 'data')) ?? '').slice(0, -9)),
    'undecipherable',
  ],
  [
    'an entry is encrypted with an unknown key',
    async (client, key) => {
      const name = /\{(.*)\}/.exec(key)?.[1] ?? ''
      await client.del(key)
      await redisTokenCache(client, { encryptionKeys: [encryptionKey(9)] }).set(name, entryOf('g1'))
    },
    'unknown key id',
  ],
  [
    'an entry is of another version of the schema',
    async (client, key) => client.hSet(key, 'schema', '2'),
    'another schema',
  ],
]
for (const [name, spoil, reason] of spoilt) {
  failure(
    name,
    'it counts as none: one token request, and the new one takes its place',
    async ({ redis, server, events: seen }) => {
      const one = await join(server, redis)
      await one.source.get()
      await quiet(one)
      const [key = expect.fail()] = await one.client.keys('*:tok')
      await spoil(one.client, key)
      const [other, third] = [await join(server, redis), await join(server, redis)]
      const token = await other.source.get()
      await quiet(other)
      expect((await third.source.get()).generation).toBe(token.generation)
      expect(server.requests).toHaveLength(2)
      expect(seen[0]).toEqual({ type: 'unreadable', reason })
      expect(seen.filter(({ type }) => type === 'failed')).toEqual([])
    },
  )
}

/** A port from which every answer of Redis comes this much later. */
async function slowWayTo({ port }: RedisServer, delayMs: number): Promise<number> {
  const way = createServer((socket) => {
    const redis = connect(port, '127.0.0.1')
    const end = () => void [socket, redis].map((one) => one.destroy())
    for (const one of [socket, redis]) one.on('error', end).on('close', end)
    socket.pipe(redis)
    redis.on('data', (data) => void setTimeout(delayMs).then(() => socket.write(data)))
  }).listen(0, '127.0.0.1')
  onTestFinished(() => void way.close())
  await once(way, 'listening')
  return (way.address() as AddressInfo).port
}

async function ownRedis() {
  const server = await createRedisServer()
  onTestFinished(() => server.close())
  return server
}

afterAll(async () => {
  const table = markdownTable(['failure', 'what happens'], rows)
  const { found, expected } = await documented(new URL('../README.md', import.meta.url), 'failures', table)
  expect(found).toBe(expected)
})
