import { generateKeyPairSync } from 'node:crypto'
import { AsyncLocalStorage } from 'node:async_hooks'
import { getEventListeners } from 'node:events'
import { setImmediate } from 'node:timers/promises'
import { createManualClock, createScriptedServer, tokenReply } from '@tokenwell/testing'
import { describe, expect, it, onTestFinished } from 'vitest'
import {
  clientCredentials,
  clientSecretBasic,
  createAccessToken,
  createTokenSource,
  memoryTokenCache,
  OverloadError,
  TokenRequestError,
  UpstreamClosedError,
  type CachedToken,
  type TokenCache,
} from '../../src/index.ts'
import { CachingSource } from '../../src/source/caching-source.ts'
import { planLifetime } from '../../src/source/lifetime.ts'
import { driven, rejection, sourceAtEndpoint, tokenEndpoint } from '../support.ts'

const noJitter = { renewal: { jitter: 0 } }
const settled = async () => {
  for (let turn = 0; turn < 20; turn++) await setImmediate()
}

/** A cache outside of this process, as far as a source can tell. */
function remote(entries = new Map<string, CachedToken>()): TokenCache {
  return {
    get: async (key) => entries.get(key),
    set: async (key, entry) => void entries.set(key, entry),
    delete: async (key, generation) => entries.get(key)?.token.generation === generation && entries.delete(key),
  }
}

describe('a fresh token', () => {
  it('is handed out without I/O: by peek at once, by get without a request', async () => {
    const { server, clock, source } = await sourceAtEndpoint(undefined, noJitter)
    expect(source.peek()).toBeUndefined()
    const token = await source.get()
    await clock.advance(2_879_999)
    expect(source.peek()).toBe(token)
    expect(await source.get()).toBe(token)
    expect(server.requests).toHaveLength(1)
    // The one that drops expired tokens.
    expect(clock.pendingTimers).toBe(1)
  })

  // regressions J8
  it('is frozen, and the same object for everybody', async () => {
    const { source } = await sourceAtEndpoint()
    const token = await source.get()
    expect(() => Object.assign(token, { scope: 'evil' })).toThrow(TypeError)
    expect(await source.get()).toBe(token)
  })
})

describe('a stale token', () => {
  // regressions S14, J27
  it('is still handed out at once while its replacement is on the way, and replaced when that arrives', async () => {
    let release = () => {}
    const gate = new Promise<void>((resolve) => (release = resolve))
    const { server, clock, source } = await sourceAtEndpoint(async (_request, index) => {
      if (index > 0) await gate
      return tokenReply()
    }, noJitter)
    const first = await source.get()
    await clock.advance(2_880_000)
    expect(source.peek()).toBeUndefined()
    const stale = await Promise.all(Array.from({ length: 50 }, () => source.get()))
    expect(new Set(stale)).toEqual(new Set([first]))
    await expect.poll(() => server.requests.length).toBe(2)
    release()
    await expect.poll(() => source.peek()?.value).not.toBe(undefined)
    expect(await source.get()).not.toBe(first)
    expect(server.requests).toHaveLength(2)
  })

  // regressions S13, J25, J26
  it.each([
    ['an error', { status: 400, body: { error: 'invalid_client' } }],
    ['a server in trouble', { status: 503 }],
    ['a reset', { reset: true as const }],
    ['HTML', { headers: { 'content-type': 'text/html' }, body: '<h1>' }],
    ['a token without life', tokenReply({ expiresIn: 0 })],
    ['a negative life', tokenReply({ expiresIn: -5 })],
  ])('outlives a renewal that brings %s, which is not tried again at once', async (_name, answer) => {
    const { server, clock, source } = await sourceAtEndpoint(undefined, noJitter)
    const first = await source.get()
    server.respondWith(answer)
    await clock.advance(2_880_000)
    expect(await source.get()).toBe(first)
    await expect.poll(() => server.requests.length).toBe(2)
    await settled()
    for (let call = 0; call < 100; call++) expect(await source.get()).toBe(first)
    expect(server.requests).toHaveLength(2)
    // The first pause is 1 to 2 seconds.
    await clock.advance(2000)
    expect(await source.get()).toBe(first)
    await expect.poll(() => server.requests.length).toBe(3)
  })

  // regressions S16. Without sockets, so that hundreds of calls in virtual time take none.
  it.each([0, 0.5, 0.999])(
    'gets one last attempt before it expires, however often renewal failed (random %d)',
    async (draw) => {
      const clock = createManualClock()
      const start = { wall: clock.now(), monotonic: clock.monotonic() }
      const attempts: number[] = []
      const lifetime = planLifetime(start, { expiresIn: 3600, refreshIn: undefined }, { jitter: 0 }, () => draw)
      const first = createAccessToken({
        value: 'v',
        tokenType: 'Bearer',
        expiresAt: start.wall + 3_600_000,
        generation: 'g',
      })
      const source = new CachingSource({
        upstream: undefined,
        clock,
        cache: memoryTokenCache(),
        dpop: undefined,
        renewal: {},
        timeoutMs: 10_000,
        maxFlights: 10,
        random: () => draw,
        planOf: () => ({ key: 'k', parameters: clientCredentials().parameters(undefined) }),
        issue: async () => {
          attempts.push(clock.monotonic() - start.monotonic)
          if (attempts.length > 1) throw new TokenRequestError('no', { tokenEndpointStatus: 503 })
          return { token: first, lifetime }
        },
        close: async () => {},
      })
      await source.get()
      await clock.advance(2_880_000)
      for (let second = 2880; second < 3595; second++) {
        expect(await source.get()).toBe(first)
        await clock.advance(1000)
      }
      const renewals = attempts.slice(1)
      expect(renewals[0]).toBe(2_880_000)
      expect(renewals.length).toBeLessThan(35)
      expect(renewals.some((age) => age >= 3_570_000 && age < 3_595_000)).toBe(true)
      expect(renewals.every((age, index) => index === 0 || age - (renewals[index - 1] ?? 0) >= 1000)).toBe(true)
    },
  )

  // regressions J13
  it('is kept when the server hands out one that ends no later, and the server is not hammered', async () => {
    const { server, clock, source } = await sourceAtEndpoint(
      (_request, index) => tokenReply({ expiresIn: index === 0 ? 3600 : 100 }),
      noJitter,
    )
    const first = await source.get()
    await clock.advance(3_100_000)
    for (let call = 0; call < 20; call++) {
      expect(await source.get()).toBe(first)
      await settled()
    }
    expect(server.requests.length).toBe(2)
  })
})

describe('an expired token', () => {
  // regressions S15
  it('is never handed out: the call fails when no other can be had', async () => {
    const { server, clock, source } = await sourceAtEndpoint(undefined, noJitter)
    await source.get()
    server.respondWith({ status: 503 })
    await clock.advance(3_595_000)
    expect(source.peek()).toBeUndefined()
    expect(await rejection(driven(clock, source.get()))).toBeInstanceOf(TokenRequestError)
  })

  it.each([
    ['the wall clock jumps ahead', (ahead: { stepWall(ms: number): void }) => ahead.stepWall(3_600_000)],
    // regressions J67
    ['the machine sleeps', (asleep: { suspend(ms: number): void }) => asleep.suspend(3_600_000)],
  ])('is noticed when %s', async (_name, jump) => {
    const { clock, source } = await sourceAtEndpoint()
    const first = await source.get()
    jump(clock)
    expect(await source.get()).not.toBe(first)
  })

  it('is not brought back by a wall clock that is set back', async () => {
    const { clock, source } = await sourceAtEndpoint()
    const first = await source.get()
    await clock.advance(3_600_000)
    clock.stepWall(-3_600_000)
    expect(source.peek()).toBeUndefined()
    expect(await source.get()).not.toBe(first)
  })

  it('that never had a life goes to those who waited for it, and is not kept', async () => {
    const { server, source } = await sourceAtEndpoint(() => tokenReply({ expiresIn: 0 }))
    const [one, other] = await Promise.all([source.get(), source.get()])
    expect(one).toBe(other)
    expect(source.peek()).toBeUndefined()
    await source.get()
    expect(server.requests).toHaveLength(2)
  })

  it('counts its life from when it was asked for, not from when the answer came', async () => {
    let release = () => {}
    const gate = new Promise<void>((resolve) => (release = resolve))
    const { server, clock, source } = await sourceAtEndpoint(async () => {
      await gate
      return tokenReply({ expiresIn: 60 })
    })
    const before = clock.now()
    const waiting = source.get()
    await expect.poll(() => server.requests.length).toBe(1)
    await clock.advance(3000)
    release()
    expect((await waiting).expiresAt).toBe(before + 60_000)
  })
})

describe('many callers at once', () => {
  // regressions S9, J18, J19, J23
  it('share one failure, each as an error object of its own, and the next caller tries anew', async () => {
    const { server, clock, source } = await sourceAtEndpoint({ status: 400, body: { error: 'invalid_client' } })
    const errors = await Promise.all(Array.from({ length: 20 }, () => rejection(source.get())))
    expect(new Set(errors).size).toBe(20)
    expect(new Set(errors.map((error) => (error as TokenRequestError).error))).toEqual(new Set(['invalid_client']))
    expect(server.requests).toHaveLength(1)
    server.respondWith(tokenReply())
    // A refusal is remembered for 1 to 5 seconds.
    await clock.advance(5000)
    expect((await source.get()).tokenType).toBe('Bearer')
  })

  // regressions S31, J22
  it('one that gives up gets its own reason; the others get the token, and no listener is left behind', async () => {
    const { server, source } = await sourceAtEndpoint({ ...tokenReply(), delayMs: 20 })
    const leaving = new AbortController()
    const staying = new AbortController()
    const gone = rejection(source.get({ signal: leaving.signal }))
    const kept = source.get({ signal: staying.signal })
    const reason = new Error('I changed my mind')
    leaving.abort(reason)
    expect(await gone).toBe(reason)
    expect((await kept).tokenType).toBe('Bearer')
    expect(server.requests).toHaveLength(1)
    await settled()
    expect(getEventListeners(staying.signal, 'abort')).toHaveLength(0)
    expect(getEventListeners(leaving.signal, 'abort')).toHaveLength(0)
  })

  it('even if all give up, the request is finished and its token kept', async () => {
    const { server, source } = await sourceAtEndpoint({ ...tokenReply(), delayMs: 10 })
    const signal = AbortSignal.abort(new Error('gone'))
    const leaving = new AbortController()
    const gone = rejection(source.get({ signal: leaving.signal }))
    leaving.abort(new Error('gone too'))
    await gone
    await expect.poll(() => source.peek()).toBeDefined()
    expect(await rejection(source.get({ signal }))).toBe(signal.reason)
    expect(server.requests).toHaveLength(1)
  })

  // regressions S33
  it('share a request that is outside of every caller', async () => {
    const tenant = new AsyncLocalStorage<string>()
    const seen: (string | undefined)[] = []
    const server = await tokenEndpoint()
    const source = createTokenSource({
      tokenEndpoint: server.url,
      clientId: 'orders',
      clientAuth: clientSecretBasic(() => {
        seen.push(tenant.getStore())
        return 's3cret'
      }),
    })
    onTestFinished(() => source.close())
    const after = await tenant.run('first caller', async () => {
      await source.get()
      return tenant.getStore()
    })
    expect(seen).toEqual([undefined])
    expect(after).toBe('first caller')
  })

  it('of more than 1,000 different tokens are refused beyond that', async () => {
    const { source } = await sourceAtEndpoint(
      { hang: true },
      { grant: clientCredentials({ parameters: ({ tenant }) => ({ tenant: tenant ?? '' }) }) },
    )
    const waiting = Array.from({ length: 1000 }, (_, index) =>
      rejection(source.get({ context: { tenant: String(index) } })),
    )
    const refused = await rejection(source.get({ context: { tenant: 'one more' } }))
    expect(refused).toBeInstanceOf(OverloadError)
    expect(refused).toMatchObject({ code: 'ERR_TOKENWELL_OVERLOAD', statusCode: 503 })
    await source.close()
    await Promise.all(waiting)
  })
})

describe('the time at which a token was asked for', () => {
  it('is when its request was sent, not when the metadata was', async () => {
    let release = () => {}
    const gate = new Promise<void>((resolve) => (release = resolve))
    const server = await createScriptedServer(async ({ path }) => {
      if (path === '/token') return tokenReply({ expiresIn: 60 })
      await gate
      return { body: { issuer: server.url, token_endpoint: `${server.url}/token` } }
    })
    const clock = createManualClock()
    const source = createTokenSource({
      issuer: server.url,
      clientId: 'orders',
      clientAuth: clientSecretBasic('s'),
      clock,
    })
    onTestFinished(async () => void (await Promise.all([source.close(), server.close()])))
    const waiting = source.get()
    await expect.poll(() => server.requests.length).toBe(1)
    await clock.advance(4000)
    release()
    expect((await waiting).expiresAt).toBe(clock.now() + 60_000)
  })
})

describe('invalidate', () => {
  // regressions S10
  it('forgets this very token, once', async () => {
    const { server, source } = await sourceAtEndpoint()
    const first = await source.get()
    expect(source.invalidate(first)).toBe(true)
    expect(source.invalidate(first)).toBe(false)
    const second = await source.get()
    expect(second.generation).not.toBe(first.generation)
    expect(source.invalidate(first)).toBe(false)
    expect(source.peek()).toBe(second)
    expect(server.requests).toHaveLength(2)
  })

  // regressions J24
  it('keeps a renewal that was already under way from bringing an old token back', async () => {
    let release = () => {}
    const gate = new Promise<void>((resolve) => (release = resolve))
    const { server, clock, source } = await sourceAtEndpoint(async (_request, index) => {
      if (index === 1) await gate
      return tokenReply({ accessToken: `token-${index}` })
    }, noJitter)
    const first = await source.get()
    await clock.advance(2_880_000)
    await source.get()
    await expect.poll(() => server.requests.length).toBe(2)
    source.invalidate(first)
    expect((await source.get()).value).toBe('token-2')
    release()
    await settled()
    expect(source.peek()?.value).toBe('token-2')
  })
})

// regressions J20
it('a request that ends after a newer one began leaves the newer one in place', async () => {
  const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const { server, source } = await sourceAtEndpoint(async (_request, index) => {
    await gates[index]?.promise
    return tokenReply({ accessToken: `token-${index}` })
  })
  const older = source.get()
  await expect.poll(() => server.requests.length).toBe(1)
  const newer = source.get({ forceRenewal: true })
  await expect.poll(() => server.requests.length).toBe(2)
  gates[0]?.resolve()
  expect((await older).value).toBe('token-0')
  const joined = source.get()
  gates[1]?.resolve()
  expect([(await newer).value, (await joined).value]).toEqual(['token-1', 'token-1'])
  expect(server.requests).toHaveLength(2)
})

describe('a failure that comes late', () => {
  it('is not told to somebody for whom there is a token by then', async () => {
    const gate = Promise.withResolvers<void>()
    const { server, source } = await sourceAtEndpoint(async (_request, index) => {
      if (index > 0) return tokenReply()
      await gate.promise
      return { status: 400, body: { error: 'invalid_scope' } }
    })
    const early = source.get()
    await expect.poll(() => server.requests.length).toBe(1)
    const forced = await source.get({ forceRenewal: true })
    gate.resolve()
    expect(await early).toBe(forced)
  })

  it('of a renewal is followed by further attempts when its token died meanwhile', async () => {
    const gate = Promise.withResolvers<void>()
    const { server, clock, source } = await sourceAtEndpoint(async (_request, index) => {
      if (index !== 1) return tokenReply({ expiresIn: 10 })
      await gate.promise
      return { status: 503 }
    }, noJitter)
    const first = await source.get()
    await clock.advance(9300)
    expect(await source.get()).toBe(first)
    await expect.poll(() => server.requests.length).toBe(2)
    await clock.advance(300)
    const waiting = driven(clock, source.get())
    gate.resolve()
    expect(await waiting).not.toBe(first)
  })
})

describe('an unusual life', () => {
  it('that was over when the token came makes it no token', async () => {
    const gate = Promise.withResolvers<void>()
    const { server, clock, source } = await sourceAtEndpoint(async (_request, index) => {
      if (index === 0) await gate.promise
      return tokenReply({ expiresIn: index === 0 ? 1 : 100 })
    })
    const waiting = driven(clock, source.get())
    await expect.poll(() => server.requests.length).toBe(1)
    await clock.advance(1500)
    gate.resolve()
    expect((await waiting).expiresAt - clock.now()).toBeGreaterThan(90_000)
    expect(server.requests).toHaveLength(2)
  })

  it('is not that of a refused token, which no opt-in brings back', async () => {
    const { server, clock, source } = await sourceAtEndpoint(undefined, { renewal: { staleIfErrorMs: 600_000 } })
    const held = await source.get()
    await clock.advance(3_600_000)
    server.respondWith({ status: 503 })
    const waiting = rejection(driven(clock, source.get()))
    expect(source.invalidate(held)).toBe(true)
    expect(await waiting).toBeInstanceOf(TokenRequestError)
  })

  it('is told by what is left of it, also after the wall clock was set back', async () => {
    const { clock, source } = await sourceAtEndpoint(undefined, noJitter)
    const first = await source.get()
    clock.stepWall(-7_200_000)
    await clock.advance(2_880_000)
    await source.get()
    await expect.poll(() => source.peek()).toBeDefined()
    expect(source.peek()).not.toBe(first)
  })
})

describe('kept warm', () => {
  it('are the thousand last issued tokens, and none of a closed source', async () => {
    const { clock, source } = await sourceAtEndpoint(undefined, {
      cache: memoryTokenCache({ maxEntries: 10 }),
      renewal: { keepWarm: true },
      grant: clientCredentials({ parameters: ({ tenant }) => ({ tenant: tenant ?? '' }) }),
    })
    for (let start = 0; start < 1500; start += 500) {
      await Promise.all(
        Array.from({ length: 500 }, (_, index) => source.get({ context: { tenant: `${start + index}` } })),
      )
    }
    // And the one that sweeps.
    expect(clock.pendingTimers).toBe(1001)
    await source.close()
    expect(clock.pendingTimers).toBe(0)
  })

  it('a life longer than a timer is not renewed before its time', async () => {
    const server = await tokenEndpoint(() => tokenReply({ expiresIn: 90 * 86_400 }))
    const source = createTokenSource({
      tokenEndpoint: server.url,
      clientId: 'orders',
      clientAuth: clientSecretBasic('s'),
      renewal: { keepWarm: true, maxLifetimeMs: 90 * 86_400_000 },
    })
    onTestFinished(() => source.close())
    await source.get()
    await settled()
    expect(server.requests).toHaveLength(1)
  })
})

describe('forceRenewal', () => {
  it('asks although a token is at hand; calls at the same time share one request', async () => {
    const { server, source } = await sourceAtEndpoint()
    const first = await source.get()
    const forced = await Promise.all(Array.from({ length: 10 }, () => source.get({ forceRenewal: true })))
    expect(new Set(forced).size).toBe(1)
    expect(forced[0]).not.toBe(first)
    expect(source.peek()).toBe(forced[0])
    expect(server.requests).toHaveLength(2)
  })

  it('asks the server, not a cache elsewhere', async () => {
    const cache = remote()
    const { server, source } = await sourceAtEndpoint(undefined, { cache })
    const first = await source.get()
    expect(await source.get({ forceRenewal: true })).not.toBe(first)
    expect(server.requests).toHaveLength(2)
  })

  it('that fails leaves the token at hand', async () => {
    const { server, source } = await sourceAtEndpoint()
    const first = await source.get()
    server.respondWith({ status: 503 })
    await rejection(source.get({ forceRenewal: true }))
    expect(source.peek()).toBe(first)
  })
})

describe('close', () => {
  it('tells those who wait, and those who come later', async () => {
    const { server, clock, source } = await sourceAtEndpoint({ hang: true })
    const waiting = rejection(source.get())
    await expect.poll(() => server.requests.length).toBe(1)
    await source.close()
    expect(await waiting).toBeInstanceOf(UpstreamClosedError)
    expect(await rejection(source.get())).toMatchObject({ code: 'ERR_TOKENWELL_CLOSED', statusCode: 503 })
    expect(source.peek()).toBeUndefined()
    await source.close()
    expect(clock.pendingTimers).toBe(0)
    await expect.poll(() => server.openConnectionCount).toBe(0)
  })
})

describe('a context', () => {
  it('gets tokens of its own, whose parameters are computed once', async () => {
    let computed = 0
    const { server, source } = await sourceAtEndpoint(undefined, {
      grant: clientCredentials({
        scope: ({ tenant }) => {
          computed += 1
          return `tenant:${tenant ?? 'none'}`
        },
      }),
    })
    const a = Object.freeze({ tenant: 'a' })
    const [one, again, other, none] = await Promise.all([
      source.get({ context: a }),
      source.get({ context: a }),
      source.get({ context: { tenant: 'b' } }),
      source.get(),
    ])
    expect(one).toBe(again)
    expect([one?.scope, other?.scope, none?.scope]).toEqual(['tenant:a', 'tenant:b', 'tenant:none'])
    expect(source.peek(a)).toBe(one)
    expect(computed).toBe(3)
    expect(server.requests).toHaveLength(3)
  })

  it('that changes is asked anew, so that nobody gets the token of before', async () => {
    const { source } = await sourceAtEndpoint(undefined, {
      grant: clientCredentials({ scope: ({ tenant }) => tenant ?? '' }),
    })
    const context = { tenant: 'alice' }
    const first = await source.get({ context })
    context.tenant = 'bob'
    expect([first.scope, (await source.get({ context })).scope]).toEqual(['alice', 'bob'])
  })
})

// regressions J17
it.each([
  ['opaque', 'not-a-jwt'],
  ['a JWT without exp', 'eyJhbGciOiJub25lIn0.e30.x'],
  ['a JWT whose exp is long past', `eyJhbGciOiJub25lIn0.${Buffer.from('{"exp":1}').toString('base64url')}.x`],
])('nobody looks into a token: %s lives as long as expires_in says', async (_name, accessToken) => {
  const { clock, source } = await sourceAtEndpoint(tokenReply({ accessToken, expiresIn: 100 }), noJitter)
  await source.get()
  await clock.advance(79_999)
  expect(source.peek()?.value).toBe(accessToken)
})

// regressions J7
it('tokens of one source live each for itself', async () => {
  const { clock, source } = await sourceAtEndpoint(
    ({ form }) => tokenReply({ expiresIn: form.get('tenant') === 'short' ? 10 : 1000 }),
    { ...noJitter, grant: clientCredentials({ parameters: ({ tenant }) => ({ tenant: tenant ?? '' }) }) },
  )
  const [short, long] = [{ tenant: 'short' }, { tenant: 'long' }]
  await Promise.all([source.get({ context: short }), source.get({ context: long })])
  await clock.advance(9000)
  expect(source.peek(short)).toBeUndefined()
  expect(source.peek(long)).toBeDefined()
})

describe('a cache that is given', () => {
  it('in memory, serves several sources of the same client', async () => {
    const cache = memoryTokenCache({ maxEntries: 5 })
    const server = await tokenEndpoint()
    const options = { tokenEndpoint: server.url, clientId: 'orders', clientAuth: clientSecretBasic('s'), cache }
    const [one, other] = [createTokenSource(options), createTokenSource(options)]
    const stranger = createTokenSource({ ...options, clientId: 'billing' })
    onTestFinished(async () => void (await Promise.all([one.close(), other.close(), stranger.close()])))
    const token = await one.get()
    expect(other.peek()).toBe(token)
    expect(stranger.peek()).toBeUndefined()
  })

  it('elsewhere, is asked before the server, and told of new and refused tokens', async () => {
    const cache = remote()
    const first = await sourceAtEndpoint(undefined, { cache })
    const token = await first.source.get()
    const second = createTokenSource({
      tokenEndpoint: `${first.server.url}/token`,
      clientId: 'orders',
      clientAuth: clientSecretBasic('s3cret'),
      cache,
      clock: first.clock,
    })
    onTestFinished(() => second.close())
    expect(await second.get()).toBe(token)
    expect(first.server.requests).toHaveLength(1)
    expect(second.invalidate(token)).toBe(true)
    await settled()
    expect(await second.get()).not.toBe(token)
    expect(first.server.requests).toHaveLength(2)
  })

  // regressions J4
  it('elsewhere, has the token for a client whose secret was rotated meanwhile, under a key that tells nothing of it', async () => {
    const entries = new Map<string, CachedToken>()
    const { server, clock, source } = await sourceAtEndpoint(undefined, {
      cache: remote(entries),
      clientAuth: clientSecretBasic('old'),
    })
    const token = await source.get()
    const rotated = createTokenSource({
      tokenEndpoint: `${server.url}/token`,
      clientId: 'orders',
      clientAuth: clientSecretBasic('new'),
      cache: remote(entries),
      clock,
    })
    onTestFinished(() => rotated.close())
    expect(await rotated.get()).toBe(token)
    expect([...entries.keys()]).toEqual([expect.stringMatching(/^[\w-]{43}$/)])
  })

  // regressions S6
  it('elsewhere, does not give the token of before to a service whose scope was changed', async () => {
    const cache = remote()
    const before = await sourceAtEndpoint(undefined, { cache, scope: 'read' })
    const token = await before.source.get()
    const after = createTokenSource({
      tokenEndpoint: `${before.server.url}/token`,
      clientId: 'orders',
      clientAuth: clientSecretBasic('s3cret'),
      scope: 'read write',
      cache,
      clock: before.clock,
    })
    onTestFinished(() => after.close())
    expect(await after.get()).not.toBe(token)
  })

  it('in memory, lets each of its sources forget a refused token', async () => {
    const cache = memoryTokenCache()
    const { server, source } = await sourceAtEndpoint(undefined, { cache })
    const other = createTokenSource({
      tokenEndpoint: `${server.url}/token`,
      clientId: 'orders',
      clientAuth: clientSecretBasic('s3cret'),
      cache,
    })
    onTestFinished(() => other.close())
    expect(other.invalidate(await source.get())).toBe(true)
    expect(source.peek()).toBeUndefined()
  })

  it('elsewhere, does not bring a refused token back, however long it takes to be told', async () => {
    const entries = new Map<string, CachedToken>()
    const cache = { ...remote(entries), delete: () => new Promise<boolean>(() => {}) }
    const { source } = await sourceAtEndpoint(undefined, { cache })
    const token = await source.get()
    await settled()
    expect(entries.size).toBe(1)
    expect(source.invalidate(token)).toBe(true)
    expect(await source.get()).not.toBe(token)
  })

  it.each<[string, () => unknown]>([
    ['null', () => null],
    ['an empty object', () => ({})],
    ['a text', () => 'token'],
    ['half an entry', () => ({ token: { value: 'x' }, lifetime: null })],
  ])('elsewhere, that answers %s has nothing', async (_name, answer) => {
    const { source } = await sourceAtEndpoint(undefined, {
      cache: { ...remote(), get: async () => answer() as CachedToken },
    })
    expect((await source.get()).tokenType).toBe('Bearer')
  })

  const plain = { value: 'v', generation: 'g', tokenType: 'Bearer', expiresAt: Number.MAX_SAFE_INTEGER }
  it.each<[string, object]>([
    ['no type', { tokenType: undefined }],
    ['a type that is none', { tokenType: null }],
    ['a type that nobody asked for', { tokenType: 'N_A' }],
    ['the type of a token that is bound to a key', { tokenType: 'DPoP' }],
    ['a line break in its value', { value: 'v\r\nx: y' }],
    ['a value that is too long', { value: 'v'.repeat(16 * 1024 + 1) }],
  ])('elsewhere, that gives a token with %s is not believed', async (_name, wrong) => {
    const clock = createManualClock()
    const start = { wall: clock.now(), monotonic: clock.monotonic() }
    const lifetime = { start, lifetimeMs: 3_600_000, renewAfterMs: 3_000_000, usableForMs: 3_500_000 }
    const cache = { get: () => ({ token: { ...plain, ...wrong }, lifetime }) as never, set() {}, delete: () => true }
    const { source, server } = await sourceAtEndpoint(undefined, { cache, clock })
    expect((await source.get()).value).not.toBe(plain.value)
    expect(server.requests).toHaveLength(1)
  })

  it('elsewhere, that gives a token for anybody where one bound to a key was asked for is not believed', async () => {
    const clock = createManualClock()
    const start = { wall: clock.now(), monotonic: clock.monotonic() }
    const lifetime = { start, lifetimeMs: 3_600_000, renewAfterMs: 3_000_000, usableForMs: 3_500_000 }
    const cache = { get: () => ({ token: plain, lifetime }) as never, set() {}, delete: () => true }
    const dpop = { key: generateKeyPairSync('ed25519').privateKey }
    const reply = () => tokenReply({ tokenType: 'DPoP' })
    const { source } = await sourceAtEndpoint(reply, { cache, clock, dpop })
    expect((await source.get()).tokenType).toBe('DPoP')
  })

  it('elsewhere, that hangs is waited for 250 ms', async () => {
    const { server, clock, source } = await sourceAtEndpoint(undefined, {
      cache: { ...remote(), get: () => new Promise(() => {}) },
    })
    const waiting = source.get()
    await clock.advance(249)
    await settled()
    expect(server.requests).toHaveLength(0)
    await clock.advance(1)
    expect((await waiting).tokenType).toBe('Bearer')
  })

  it('elsewhere, fails no call when it fails', async () => {
    const broken = () => Promise.reject(new Error('down'))
    const { source } = await sourceAtEndpoint(undefined, {
      cache: {
        get: broken,
        set: broken,
        delete: () => {
          throw new Error('down')
        },
      },
    })
    const token = await source.get()
    expect(source.invalidate(token)).toBe(true)
    expect(await source.get()).not.toBe(token)
  })
})
