import { setImmediate, setTimeout } from 'node:timers/promises'
import { tokenReply } from '@tokenwell/testing'
import { describe, expect, it, onTestFinished } from 'vitest'
import {
  createAccessToken,
  createTokenSource,
  tlsClientAuth,
  type CachedToken,
  type LeaseAnswer,
  type TokenCache,
  type TokenLease,
  type TokenWrite,
} from '../../src/index.ts'
import { createAuthority, type Identity, type IssueOptions } from '../client-auth/certificates.ts'
import { mutualTlsServer } from '../client-auth/mutual-tls-server.ts'
import { Listening } from '../diagnostics/listening.ts'
import { driven, rejection, sourceAtEndpoint } from '../support.ts'

const mine: TokenLease = { owner: 'me', fence: 7 }

/** A shared cache that does as the test says, and writes down what it is asked. */
class Scripted implements TokenCache {
  readonly calls: string[] = []
  stored: CachedToken | undefined
  written: TokenWrite | undefined
  answer: () => LeaseAnswer | Promise<LeaseAnswer> = () => ({ lease: mine })
  instead: CachedToken | undefined
  beforeRelease: Promise<void> | undefined

  get(): CachedToken | undefined {
    this.calls.push('get')
    return this.stored
  }

  set(_key: string, _entry: CachedToken, write?: TokenWrite): CachedToken | undefined {
    this.calls.push('set')
    this.written = write
    return this.instead
  }

  delete(): boolean {
    this.calls.push('delete')
    return true
  }

  readonly leases = {
    acquire: async (_key: string, durationMs: number) => {
      this.calls.push(`acquire ${durationMs}`)
      return this.answer()
    },
    fence: async () => {
      this.calls.push('fence')
      return { owner: undefined, fence: 8 }
    },
    release: async (_key: string, { fence }: TokenLease) => {
      await this.beforeRelease
      this.calls.push(`release ${fence}`)
    },
    pause: async (_key: string, durationMs: number) => {
      this.calls.push(`pause ${durationMs}`)
    },
  }
}

function entryOf(generation: string, lifetimeMs: number, remainingMs?: number): CachedToken {
  // The clock of another process, of which nothing is known here.
  const start = { wall: 0, monotonic: 0 }
  return {
    token: createAccessToken({ value: generation, tokenType: 'Bearer', expiresAt: 1, generation }),
    lifetime: { start, lifetimeMs, renewAfterMs: lifetimeMs * 0.8, usableForMs: lifetimeMs * 0.95 },
    remainingMs,
  }
}

describe('a cache with leases', () => {
  it('is asked for a token, a lease, and a token again; then told of the new one, and given the lease back', async () => {
    const cache = new Scripted()
    const { source, server } = await sourceAtEndpoint(() => tokenReply({ expiresIn: 100 }), { cache })
    await source.get()
    await expect.poll(() => cache.calls).toEqual(['get', 'acquire 12000', 'get', 'set', 'release 7'])
    expect(cache.written).toEqual({ remainingMs: 100_000, lease: mine })
    expect(server.requests).toHaveLength(1)
  })

  it('says how much of a token’s life is left, whatever the clocks say', async () => {
    const cache = new Scripted()
    cache.stored = entryOf('g1', 100_000, 50_000)
    const { source, clock, server } = await sourceAtEndpoint(undefined, { cache })
    const token = await source.get()
    expect(token.expiresAt - clock.now()).toBe(50_000)
    expect(source.peek()).toBe(token)
    await clock.advance(29_999)
    expect(source.peek()).toBe(token)
    await clock.advance(1)
    expect(source.peek()).toBeUndefined()
    expect(server.requests).toHaveLength(0)
  })

  it('is believed no further than the token ever lived', async () => {
    const cache = new Scripted()
    cache.stored = entryOf('g1', 100_000, 900_000)
    const { source, clock } = await sourceAtEndpoint(undefined, { cache })
    expect((await source.get()).expiresAt - clock.now()).toBe(100_000)
  })

  it('has somebody else’s lease: who waits looks again for 2 s, and then asks with a fence alone', async () => {
    const cache = new Scripted()
    cache.answer = () => ({})
    const { source, clock, server } = await sourceAtEndpoint(undefined, { cache })
    const waiting = source.get()
    const before = clock.monotonic()
    await driven(clock, waiting)
    expect(clock.monotonic() - before).toBeGreaterThanOrEqual(2000)
    expect(clock.monotonic() - before).toBeLessThan(2400)
    expect(server.requests).toHaveLength(1)
    const looks = cache.calls.filter((call) => call === 'get').length
    expect(looks).toBeGreaterThan(13)
    expect(looks).toBeLessThan(45)
    expect(cache.calls).toContain('fence')
    expect(cache.written?.lease?.fence).toBe(8)
  })

  it('has what somebody else got meanwhile: the lease goes back unused', async () => {
    const cache = new Scripted()
    cache.answer = () => {
      cache.stored = entryOf('g1', 100_000, 90_000)
      return { lease: mine }
    }
    const { source, server } = await sourceAtEndpoint(undefined, { cache })
    expect((await source.get()).generation).toBe('g1')
    await expect.poll(() => cache.calls).toEqual(['get', 'acquire 12000', 'get', 'release 7'])
    expect(server.requests).toHaveLength(0)
  })

  it('has somebody else’s lease: a renewal that nobody waits for is left to them', async () => {
    const cache = new Scripted()
    const { source, clock, server } = await sourceAtEndpoint(() => tokenReply({ expiresIn: 100 }), {
      cache,
      renewal: { jitter: 0 },
    })
    const token = await source.get()
    await clock.advance(80_000)
    cache.calls.length = 0
    cache.answer = () => ({})
    expect(await source.get()).toBe(token)
    await expect.poll(() => cache.calls).toEqual(['get', 'acquire 12000', 'get'])
    await setImmediate()
    expect(await source.get()).toBe(token)
    expect(cache.calls).toHaveLength(3)
    cache.stored = entryOf('g2', 100_000, 99_000)
    await clock.advance(2000)
    expect(await source.get()).toBe(token)
    await expect.poll(() => source.peek()?.generation).toBe('g2')
    expect(server.requests).toHaveLength(1)
  })

  it('says that the server wants to be left alone: who needs a token is told when, and no request is made', async () => {
    const cache = new Scripted()
    cache.answer = () => ({ pausedMs: 20_000 })
    const { source, clock, server } = await sourceAtEndpoint(undefined, { cache })
    const details = { fromCache: true, statusCode: 503, retryAt: clock.now() + 20_000 }
    expect(await rejection(source.get())).toMatchObject(details)
    // The next one need not even ask the cache.
    expect(await rejection(source.get())).toMatchObject(details)
    expect(cache.calls).toEqual(['get', 'acquire 12000'])
    expect(server.requests).toHaveLength(0)
  })

  it('says that the server wants to be left alone for longer than anybody would be told: that is not believed', async () => {
    const cache = new Scripted()
    cache.answer = () => ({ pausedMs: 60_001 })
    const { source, clock, server } = await sourceAtEndpoint(undefined, { cache })
    await driven(clock, source.get())
    expect(server.requests).toHaveLength(1)
  })

  it('is told for how long the server wants to be left alone, a minute at most, and of no other failure', async () => {
    const cache = new Scripted()
    const reply = { status: 429, headers: { 'retry-after': '500' } }
    const { source, server, clock } = await sourceAtEndpoint(reply, { cache })
    await rejection(source.get())
    await expect.poll(() => cache.calls.slice(-2)).toEqual(['pause 60000', 'release 7'])
    await clock.advance(600_000)
    server.respondWith({ status: 400, body: { error: 'invalid_scope' } })
    await rejection(source.get())
    await expect.poll(() => cache.calls.slice(-2)).toEqual(['get', 'release 7'])
    expect(cache.calls).not.toContain('set')
  })

  it('is told at once, even though this process waits with its lease to ask again', async () => {
    const cache = new Scripted()
    const { source, server, clock } = await sourceAtEndpoint(
      { status: 503, headers: { 'retry-after': '3' } },
      { cache },
    )
    const waiting = source.get()
    await expect.poll(() => cache.calls).toEqual(['get', 'acquire 12000', 'get', 'pause 3000'])
    server.respondWith(() => tokenReply())
    await driven(clock, waiting)
    await expect.poll(() => cache.calls.slice(-2)).toEqual(['set', 'release 7'])
    expect(server.requests).toHaveLength(2)
  })

  it('says that the server wants to be left alone for a moment: who needs a token waits for that', async () => {
    const cache = new Scripted()
    const { source, server, clock } = await sourceAtEndpoint(undefined, { cache })
    const end = clock.monotonic() + 1500
    cache.answer = () => (clock.monotonic() < end ? { pausedMs: end - clock.monotonic() } : { lease: mine })
    await driven(clock, source.get())
    expect(clock.monotonic()).toBeGreaterThanOrEqual(end)
    expect(server.requests).toHaveLength(1)
  })

  it('refuses a late write: what it has is used from then on', async () => {
    const cache = new Scripted()
    cache.instead = entryOf('newer', 100_000, 50_000)
    const { source } = await sourceAtEndpoint(undefined, { cache })
    expect((await source.get()).generation).not.toBe('newer')
    await expect.poll(() => source.peek()?.generation).toBe('newer')
  })

  it('is asked for a fence alone when a token is to be replaced whatever it has', async () => {
    const cache = new Scripted()
    cache.stored = entryOf('g1', 100_000, 90_000)
    const { source, server } = await sourceAtEndpoint(undefined, { cache })
    expect((await source.get({ forceRenewal: true })).generation).not.toBe('g1')
    await expect.poll(() => cache.calls).toEqual(['fence', 'set', 'release 8'])
    expect(server.requests).toHaveLength(1)
  })

  it('that fails on the way is left out of the rest of the call, and not written to', async () => {
    const cache = new Scripted()
    cache.answer = () => Promise.reject(new Error('down'))
    const { source } = await sourceAtEndpoint(undefined, { cache })
    expect((await source.get()).tokenType).toBe('Bearer')
    await setImmediate()
    expect(cache.calls).toEqual(['get', 'acquire 12000'])
  })

  it('gets its lease back before a source that is closed is done', async () => {
    const cache = new Scripted()
    const { source, server } = await sourceAtEndpoint({ hang: true }, { cache })
    const waiting = rejection(source.get())
    await expect.poll(() => server.requests.length).toBe(1)
    const gate = Promise.withResolvers<void>()
    cache.beforeRelease = gate.promise
    const closing = source.close().then(() => cache.calls.push('closed'))
    // Whatever else is closed is closed by then.
    await setTimeout(100)
    expect(cache.calls.at(-1)).toBe('get')
    gate.resolve()
    await closing
    expect(cache.calls.slice(-2)).toEqual(['release 7', 'closed'])
    expect(await waiting).toMatchObject({ code: 'ERR_TOKENWELL_CLOSED' })
  })
})

describe('a cache behind sources whose certificate is read when it is needed', () => {
  const authority = createAuthority()
  async function setting() {
    const made = await authority
    const server = await mutualTlsServer(made)
    onTestFinished(() => server.close())
    const stored = new Map<string, CachedToken>()
    const cache: TokenCache = {
      get: (key) => stored.get(key),
      set: (key, entry) => void stored.set(key, entry),
      delete: (key) => stored.delete(key),
    }
    const sourceWith = (identity: Identity) => {
      const clientAuth = tlsClientAuth(() => ({ ...identity, ca: made.ca }))
      const source = createTokenSource({ issuer: server.url, clientId: 'orders', clientAuth, cache })
      onTestFinished(() => source.close())
      return source
    }
    const tokenRequests = () => server.requests.filter(({ path }) => path === '/token').length
    return { issue: (options: IssueOptions) => made.issue(options), sourceWith, tokenRequests }
  }

  it('has a first token for who shows the same certificate, and for nobody else', async () => {
    const { issue, sourceWith, tokenRequests } = await setting()
    const orders = await issue({ commonName: 'orders' })
    const renewed = await issue({ commonName: 'orders', keys: orders.keys })
    const token = await sourceWith(orders).get()
    const again = sourceWith(orders)
    expect((await again.get()).generation).toBe(token.generation)
    expect(again.peek()?.generation).toBe(token.generation)
    expect(tokenRequests()).toBe(1)
    expect((await sourceWith(renewed).get()).generation).not.toBe(token.generation)
    expect(tokenRequests()).toBe(2)
  })
})

describe('what is published of a lease', () => {
  const published = (listening: Listening) => ({
    waits: listening.of('tokenwell:lease.wait').map(({ outcome }) => outcome),
    origins: listening.of('tokenwell:token.renewal').map(({ origin }) => origin),
  })

  it('this process has it, or another one left a token meanwhile', async () => {
    const cache = new Scripted()
    const { source } = await sourceAtEndpoint(() => tokenReply({ expiresIn: 100 }), { cache })
    const listening = new Listening()
    const token = await source.get()
    expect(published(listening)).toEqual({ waits: ['acquired'], origins: ['server'] })
    source.invalidate(token)
    cache.answer = () => {
      cache.stored = entryOf('g1', 100_000, 90_000)
      return {}
    }
    await source.get()
    expect(published(listening)).toEqual({ waits: ['acquired', 'found'], origins: ['server', 'l2'] })
    await expect
      .poll(() => listening.of('tokenwell:cache.operation').map(({ operation, outcome }) => `${operation} ${outcome}`))
      .toEqual(expect.arrayContaining(['get miss', 'acquire ok', 'set ok', 'release ok', 'delete ok', 'get hit']))
  })

  it('who waited long enough asks without it', async () => {
    const cache = new Scripted()
    cache.answer = () => ({})
    const { source, clock } = await sourceAtEndpoint(undefined, { cache })
    const listening = new Listening()
    await driven(clock, source.get())
    expect(published(listening)).toEqual({ waits: ['unleased'], origins: ['server'] })
  })

  it.each([
    ['busy', {}],
    ['paused', { pausedMs: 20_000 }],
  ] as const)('a token at hand stays, since it is %s: nobody was asked', async (outcome, answer) => {
    const cache = new Scripted()
    const reply = () => tokenReply({ expiresIn: 100 })
    const { source, clock, server } = await sourceAtEndpoint(reply, { cache, renewal: { jitter: 0 } })
    await source.get()
    await clock.advance(80_000)
    cache.answer = () => answer
    const listening = new Listening()
    await source.get()
    await expect.poll(() => published(listening)).toEqual({ waits: [outcome], origins: ['none'] })
    expect(server.requests).toHaveLength(1)
  })
})
