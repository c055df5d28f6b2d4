import { AsyncLocalStorage } from 'node:async_hooks'
import { once } from 'node:events'
import { channel, tracingChannel } from 'node:diagnostics_channel'
import { Readable } from 'node:stream'
import { createAuthorizationServer, createProtectedApi, tokenReply } from '@tokenwell/testing'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import {
  clientSecretBasic,
  createTokenSource,
  createUpstream,
  memoryTokenCache,
  type CachedToken,
  type TokenCache,
  type TokenRenewalEvent,
  type UpstreamOptions,
} from '../../src/index.ts'
import { createRealm, scripted, upstreamAt, warmSource } from '../http/support.ts'
import { driven, rejection, sourceAtEndpoint } from '../support.ts'
import { Listening } from './listening.ts'

describe('tokens', () => {
  it('one at hand is a hit, with how long it took and what is left of it', async () => {
    const { source, clock } = await sourceAtEndpoint(() => tokenReply({ expiresIn: 3600 }))
    await source.get()
    const listening = new Listening()
    await clock.advance(600_000)
    source.peek()
    await source.get()
    const hit = { upstream: undefined, result: 'hit_l1', durationMs: 0, remainingMs: 3_000_000 }
    expect(listening.of('tokenwell:token.hit')).toEqual([hit, hit])
    expect(listening.told).toHaveLength(2)
  })

  it('of many callers at once one is a miss and the others are coalesced, all waiting for the same renewal', async () => {
    const { source } = await sourceAtEndpoint()
    const listening = new Listening()
    await Promise.all(Array.from({ length: 20 }, () => source.get()))
    const renewals = listening.told.filter(({ channel: name }) => name === 'tokenwell:token.renewal')
    expect(renewals.map(({ phase }) => phase)).toEqual(['start', 'end', 'asyncStart', 'asyncEnd'])
    const acquired = listening.of('tokenwell:token.acquire')
    expect(acquired.map(({ result }) => result)).toEqual(['miss', ...Array.from({ length: 19 }, () => 'coalesced')])
    expect(new Set(acquired.map(({ renewal }) => renewal))).toEqual(new Set([renewals[0]?.event]))
    expect(listening.of('tokenwell:token.request')).toHaveLength(1)
  })

  it('says why a token was asked for', async () => {
    const { source, clock } = await sourceAtEndpoint(() => tokenReply({ expiresIn: 60 }))
    const listening = new Listening()
    const first = await source.get()
    await clock.advance(50_000)
    await source.get()
    await vi.waitFor(() => expect(source.peek()).not.toBe(undefined))
    await clock.advance(60_000)
    const third = await source.get()
    source.invalidate(third)
    await source.get()
    await source.get({ forceRenewal: true })
    expect(first).not.toBe(third)
    expect(listening.of('tokenwell:token.renewal').map(({ reason, origin }) => [reason, origin])).toEqual(
      ['initial', 'stale', 'expired', 'rejected', 'forced'].map((reason) => [reason, 'server']),
    )
    expect(listening.of('tokenwell:token.hit').map(({ result }) => result)).toContain('stale')
  })

  it('a failure is told by its type, and as negative to those who come after it', async () => {
    const { source } = await sourceAtEndpoint({ status: 400, body: { error: 'invalid_scope' } })
    const listening = new Listening()
    await rejection(source.get())
    await rejection(source.get())
    const [first, second] = listening.of('tokenwell:token.acquire')
    expect(first).toMatchObject({ result: 'miss', errorType: 'invalid_scope', remainingMs: undefined })
    expect(second).toMatchObject({ result: 'negative', errorType: 'invalid_scope', renewal: undefined })
    expect(listening.of('tokenwell:token.renewal')).toMatchObject([{ errorType: 'invalid_scope' }])
    expect(listening.told.filter(({ phase }) => phase === 'error').map(({ channel: name }) => name)).toEqual([
      'tokenwell:token.request',
      'tokenwell:token.renewal',
      'tokenwell:token.acquire',
      'tokenwell:token.acquire',
    ])
  })

  it("a caller's own abort is one, and no failure of the renewal", async () => {
    const { source } = await sourceAtEndpoint(() => ({ ...tokenReply(), delayMs: 50 }))
    const listening = new Listening()
    const aborted = new AbortController()
    const waits = [source.get({ signal: aborted.signal }), source.get()] as const
    aborted.abort()
    await rejection(waits[0])
    await waits[1]
    expect(listening.of('tokenwell:token.acquire').map(({ errorType }) => errorType)).toEqual(['AbortError', undefined])
    expect(listening.of('tokenwell:token.renewal')).toMatchObject([{ errorType: undefined }])
  })

  it('an expired token that is good enough is stale, whatever became of its renewal', async () => {
    let fails = false
    const { source, clock } = await sourceAtEndpoint(
      () => (fails ? { status: 400, body: { error: 'invalid_request' } } : tokenReply({ expiresIn: 60 })),
      { renewal: { staleIfErrorMs: 600_000 } },
    )
    await source.get()
    fails = true
    await clock.advance(61_000)
    const listening = new Listening()
    await source.get()
    expect(listening.of('tokenwell:token.acquire')).toMatchObject([{ result: 'stale', errorType: undefined }])
    expect(listening.of('tokenwell:token.renewal')).toMatchObject([{ reason: 'expired', errorType: 'invalid_request' }])
  })
})

describe('token requests', () => {
  it('each attempt is one, with the status or without an answer', async () => {
    const { source, clock } = await sourceAtEndpoint((_request, index) =>
      index === 0 ? { status: 503 } : index === 1 ? { reset: true } : tokenReply(),
    )
    const listening = new Listening()
    await driven(clock, source.get())
    const requests = listening.of('tokenwell:token.request')
    expect(requests.map(({ statusCode, errorType }) => [statusCode, errorType])).toEqual([
      [503, 'ERR_TOKENWELL_TOKEN_REQUEST'],
      [undefined, 'ERR_TOKENWELL_TOKEN_ENDPOINT_UNREACHABLE'],
      [200, undefined],
    ])
    expect(requests[0]).toMatchObject({ grantType: 'client_credentials', serverAddress: '127.0.0.1' })
    expect(requests[0]?.serverPort).toBeGreaterThan(0)
  })

  it('a server that uses a word of its own cannot make a type of it', async () => {
    const { source } = await sourceAtEndpoint({ status: 400, body: { error: 'no_such_word' } })
    const listening = new Listening()
    await rejection(source.get())
    expect(listening.of('tokenwell:token.request')).toMatchObject([{ errorType: 'ERR_TOKENWELL_TOKEN_REQUEST' }])
  })

  it('there is none when the credential cannot be read', async () => {
    const { source } = await sourceAtEndpoint(undefined, {
      clientAuth: clientSecretBasic(() => Promise.reject(new Error('no vault'))),
    })
    const listening = new Listening()
    await rejection(source.get())
    expect(listening.of('tokenwell:token.request')).toEqual([])
    expect(listening.of('tokenwell:token.renewal')).toMatchObject([{ errorType: 'ERR_TOKENWELL_TOKEN_REQUEST' }])
  })

  it('one that is repeated for want of a nonce is two, and so is a call', async () => {
    await using server = await createAuthorizationServer({
      clients: [{ clientId: 'bound', method: 'client_secret_basic', secret: 's3cret', dpopBoundTokens: true }],
      requireDpopNonce: true,
    })
    await using api = await createProtectedApi({
      issuer: server.issuer,
      jwksUri: server.jwksUri,
      dpopNonces: 'required',
    })
    const listening = new Listening()
    const upstream = createUpstream({
      name: 'bound',
      baseUrl: api.url,
      oauth: { issuer: server.issuer, clientId: 'bound', clientAuth: clientSecretBasic('s3cret'), dpop: true },
    })
    expect((await upstream.fetch('/')).status).toBe(200)
    await upstream.close()
    expect(listening.of('tokenwell:token.request').map(({ errorType }) => errorType)).toEqual([
      'use_dpop_nonce',
      undefined,
    ])
    expect(listening.of('tokenwell:upstream.replay')).toEqual([
      { upstream: 'bound', reason: 'nonce', outcome: 'sent', errorType: undefined },
    ])
    expect(listening.of('tokenwell:upstream.refused')).toMatchObject([{ statusCode: 401, challenge: 'use_dpop_nonce' }])
  })
})

describe('refusals', () => {
  const stream = () => ({ method: 'POST', body: Readable.from(['x']) }) as const
  it.each<[string, Partial<UpstreamOptions>, string]>([
    ['a request is sent again', {}, 'sent'],
    ['the option forbids it', { replay: 'never' }, 'skipped_policy'],
  ])('%s', async (_name, options, outcome) => {
    const realm = await createRealm()
    const upstream = upstreamAt(realm.api.url, { name: 'billing', oauth: await warmSource(realm), ...options })
    realm.revoked.add('token-0')
    const listening = new Listening()
    await (await upstream.request('/')).body.dump()
    expect(listening.of('tokenwell:upstream.refused')).toEqual([
      { upstream: 'billing', statusCode: 401, challenge: 'invalid_token', scope: undefined },
    ])
    expect(listening.of('tokenwell:upstream.replay')).toEqual([
      { upstream: 'billing', reason: 'token', outcome, errorType: undefined },
    ])
  })

  it('a body that is not at hand any more is not', async () => {
    const realm = await createRealm()
    const upstream = upstreamAt(realm.api.url, { oauth: await warmSource(realm) })
    realm.revoked.add('token-0')
    const listening = new Listening()
    await (await upstream.request('/', stream())).body.dump()
    expect(listening.of('tokenwell:upstream.replay')).toMatchObject([{ outcome: 'skipped_body' }])
  })

  it('an API that refuses every token is spared', async () => {
    const realm = await createRealm()
    const upstream = upstreamAt(realm.api.url, { oauth: await warmSource(realm) })
    for (let index = 0; index < 9; index++) realm.revoked.add(`token-${index}`)
    const listening = new Listening()
    await (await upstream.request('/')).body.dump()
    await (await upstream.request('/')).body.dump()
    expect(listening.of('tokenwell:upstream.replay').map(({ outcome }) => outcome)).toEqual([
      'sent',
      'skipped_budget',
      'skipped_budget',
    ])
  })

  it('without another token the reason is told', async () => {
    const { source } = await sourceAtEndpoint((_request, index) =>
      index === 0 ? tokenReply() : { status: 400, body: { error: 'invalid_scope' } },
    )
    const api = await scripted({ status: 401 })
    const listening = new Listening()
    await (await upstreamAt(api.url, { oauth: source }).request('/')).body.dump()
    expect(listening.of('tokenwell:upstream.replay')).toMatchObject([
      { outcome: 'skipped_token', errorType: 'invalid_scope' },
    ])
  })

  it.each([
    ['Bearer error="insufficient_scope", scope="a b"', 'insufficient_scope', 'a b'],
    ['Bearer error="something_else"', '_OTHER', undefined],
    ['Bearer realm="x"', undefined, undefined],
    ['Basic error="insufficient_scope"', undefined, undefined],
  ])('403 with %s', async (challenge, expected, scope) => {
    const api = await scripted({ status: 403, headers: { 'www-authenticate': challenge } })
    const upstream = upstreamAt(api.url, { name: 'billing' })
    const listening = new Listening()
    await (await upstream.request('/')).body.dump()
    expect(listening.told.map(({ seen }) => seen)).toEqual([
      { upstream: 'billing', statusCode: 403, challenge: expected, scope },
    ])
  })
})

describe('caches', () => {
  const tiered = (over: Partial<TokenCache> = {}): TokenCache => {
    const entries = new Map<string, CachedToken>()
    return {
      get: (key) => entries.get(key),
      set: (key, entry) => void entries.set(key, entry),
      delete: (key) => entries.delete(key),
      ...over,
    }
  }

  it('a token of the shared cache is a hit of the second tier', async () => {
    const cache = tiered()
    const { source, server, clock } = await sourceAtEndpoint(undefined, { cache })
    await source.get()
    const other = createTokenSource({
      tokenEndpoint: `${server.url}/token`,
      clientId: 'orders',
      clientAuth: clientSecretBasic('s3cret'),
      clock,
      cache,
    })
    onTestFinished(() => other.close())
    const listening = new Listening()
    other.invalidate(await other.get())
    expect(listening.of('tokenwell:token.acquire')).toMatchObject([{ result: 'hit_l2' }])
    expect(listening.of('tokenwell:token.renewal')).toMatchObject([{ origin: 'l2' }])
    await vi.waitFor(() =>
      expect(listening.of('tokenwell:cache.operation').map(({ operation, outcome }) => [operation, outcome])).toEqual([
        ['get', 'hit'],
        ['delete', 'ok'],
      ]),
    )
  })

  it('one that fails or hangs is told of, and fails no call', async () => {
    const hangs = new Promise<undefined>(() => {})
    const cache = tiered({ get: () => hangs, set: () => Promise.reject(new Error('down')) })
    const { source, clock } = await sourceAtEndpoint(undefined, { cache })
    const listening = new Listening()
    await driven(clock, source.get())
    expect(listening.of('tokenwell:cache.operation').map(({ operation, outcome }) => [operation, outcome])).toEqual([
      ['get', 'timeout'],
      ['set', 'error'],
    ])
  })

  it('a memory cache tells how many tokens it has, whatever became of the others', async () => {
    const cache = memoryTokenCache({ maxEntries: 2 })
    const other = memoryTokenCache()
    const entry = (generation: string) => ({ token: { generation } }) as CachedToken
    const listening = new Listening()
    cache.set('a', entry('1'))
    cache.set('b', entry('2'))
    cache.set('c', entry('3'))
    other.set('a', entry('1'))
    cache.delete('b', 'not this one')
    cache.delete('b', '2')
    cache.sweep(() => false)
    cache.sweep(() => true)
    const events = listening.of('tokenwell:cache.entries')
    expect(events.map(({ entries }) => entries)).toEqual([1, 2, 2, 1, 1, 0])
    expect(new Set(events.map((event) => event.cache)).size).toBe(2)
  })
})

describe('listeners', () => {
  const renewal = tracingChannel<TokenRenewalEvent>('tokenwell:token.renewal')

  it('may bind a store to a renewal, which is in no context of a caller', async () => {
    const ofCaller = new AsyncLocalStorage<string>()
    const ofRenewal = new AsyncLocalStorage<string | undefined>()
    const seen: unknown[] = []
    const clientAuth = Object.assign(() => void seen.push([ofCaller.getStore(), ofRenewal.getStore()]), {
      method: 'none',
    })
    const { source } = await sourceAtEndpoint(undefined, { clientAuth })
    renewal.start.bindStore(
      ofRenewal as AsyncLocalStorage<never>,
      ((event: TokenRenewalEvent) => event.reason) as never,
    )
    onTestFinished(() => void renewal.start.unbindStore(ofRenewal as AsyncLocalStorage<never>))
    await ofCaller.run('a caller', () => source.get())
    expect(seen).toEqual([[undefined, 'initial']])
  })

  it('may run a renewal within something of their own, which is done once whatever that does', async () => {
    const storage = new AsyncLocalStorage<string>()
    const seen: unknown[] = []
    const clientAuth = Object.assign(() => void seen.push(storage.getStore()), { method: 'none' })
    const { source, server } = await sourceAtEndpoint(undefined, { clientAuth })
    const uses: TokenRenewalEvent['around'][] = [
      (work) => storage.run('inside', work),
      (work) => {
        void work()
        return work()
      },
      () => undefined as never,
    ]
    const listener = (event: unknown) => void ((event as TokenRenewalEvent).around = uses.shift())
    renewal.start.subscribe(listener)
    onTestFinished(() => renewal.start.unsubscribe(listener))
    for (let index = 1; index <= 3; index++) {
      expect(await source.get({ forceRenewal: true })).toHaveProperty('tokenType', 'Bearer')
      expect(server.requests).toHaveLength(index)
    }
    expect(seen).toEqual(['inside', undefined, undefined])
  })

  it.each(['tokenwell:token.hit', 'tracing:tokenwell:token.renewal:start', 'tracing:tokenwell:token.acquire:asyncEnd'])(
    'one of %s that throws fails no call, and is told of as uncaught',
    async (name) => {
      const listener = () => {
        throw new Error(`listener of ${name}`)
      }
      const others = process.listeners('uncaughtException')
      process.removeAllListeners('uncaughtException')
      onTestFinished(() => others.forEach((other) => process.on('uncaughtException', other)))
      const uncaught = once(process, 'uncaughtException')
      channel(name).subscribe(listener)
      onTestFinished(() => channel(name).unsubscribe(listener))
      const { source } = await sourceAtEndpoint()
      const token = await source.get()
      expect(source.peek()).toBe(token)
      expect(await uncaught).toMatchObject([{ message: `listener of ${name}` }, expect.anything()])
    },
  )
})
