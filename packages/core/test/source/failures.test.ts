import { tokenReply } from '@tokenwell/testing'
import { describe, expect, it } from 'vitest'
import {
  clientCredentials,
  clientSecretBasic,
  createAccessToken,
  memoryTokenCache,
  OverloadError,
  ServerMetadataError,
  TokenEndpointUnreachableError,
  TokenRequestError,
  TokenResponseError,
  UpstreamClosedError,
} from '../../src/index.ts'
import { failurePauseMs, retryPauseMs } from '../../src/source/backoff.ts'
import { failureKind, isRetryable } from '../../src/source/failure.ts'
import { driven, rejection, sourceAtEndpoint } from '../support.ts'

const refused = (tokenEndpointStatus?: number, error?: string) =>
  new TokenRequestError('no', { tokenEndpointStatus, error })
const unreachable = (code?: string) =>
  new TokenEndpointUnreachableError('no', { cause: Object.assign(new Error('c'), { code }) })

describe('what a failure says about the next request', () => {
  it.each<[string, unknown, string, boolean]>([
    ['invalid_client', refused(401, 'invalid_client'), 'credential', false],
    ['invalid_client with 400', refused(400, 'invalid_client'), 'credential', false],
    ['invalid_client with 500, for a bad signature', refused(500, 'invalid_client'), 'credential', false],
    ['unauthorized_client', refused(400, 'unauthorized_client'), 'credential', false],
    ['401 alone', refused(401), 'credential', false],
    ['invalid_scope', refused(400, 'invalid_scope'), 'request', false],
    ['invalid_target', refused(400, 'invalid_target'), 'request', false],
    ['an unknown error', refused(400, 'whatever'), 'request', false],
    ['429 with a word of its own', refused(429, 'too_many_requests'), 'transient', true],
    ['503 with a word of its own', refused(503, 'service_unavailable'), 'transient', true],
    ['the name of a member of every object', refused(400, 'constructor'), 'request', false],
    ['403 alone', refused(403), 'request', false],
    ['404 alone', refused(404), 'request', false],
    ['a redirect', refused(302), 'request', false],
    ['server_error', refused(400, 'server_error'), 'transient', true],
    ['temporarily_unavailable', refused(503, 'temporarily_unavailable'), 'transient', true],
    ['408', refused(408), 'transient', true],
    ['429', refused(429), 'transient', true],
    ['500', refused(500), 'transient', true],
    ['503', refused(503), 'transient', true],
    ['a reset', unreachable('ECONNRESET'), 'transient', true],
    ['a certificate of somebody else', unreachable('ERR_TLS_CERT_ALTNAME_INVALID'), 'transient', false],
    ['an expired certificate', unreachable('CERT_HAS_EXPIRED'), 'transient', false],
    ['a self-signed certificate', unreachable('DEPTH_ZERO_SELF_SIGNED_CERT'), 'transient', false],
    ['an unknown issuer of a certificate', unreachable('UNABLE_TO_VERIFY_LEAF_SIGNATURE'), 'transient', false],
    ['a broken success', new TokenResponseError('no', {}), 'transient', true],
    ['a token of another type', new TokenResponseError('no', { retryable: false }), 'request', false],
    ['metadata of another issuer', new ServerMetadataError('no', {}), 'request', false],
    ['metadata that cannot be had', new ServerMetadataError('no', { statusCode: 503 }), 'transient', true],
    ['a request that could not be prepared', refused(), 'local', false],
    ['too much at once', new OverloadError('no', {}), 'local', false],
    ['closed', new UpstreamClosedError('no', {}), 'local', false],
    ['an abort', new DOMException('gone', 'AbortError'), 'local', false],
    ['a programming error', new TypeError('oops'), 'local', false],
  ])('%s', (_name, error, kind, retryable) => {
    expect(failureKind(error)).toBe(kind)
    expect(isRetryable(error)).toBe(retryable)
  })
})

describe('pauses', () => {
  it.each([
    [1, 0, 0],
    [1, 1, 200],
    [2, 0.5, 200],
    [4, 1, 1600],
    [5, 1, 2000],
    [60, 1, 2000],
  ])('after attempt %i, drawing %d: %d ms', (made, draw, ms) => {
    expect(retryPauseMs(made, () => draw)).toBe(ms)
  })

  it.each<['transient' | 'credential' | 'request', number, number, number | undefined, number]>([
    ['transient', 1, 0, undefined, 500],
    ['transient', 1, 1, undefined, 1000],
    ['transient', 3, 1, undefined, 4000],
    ['transient', 50, 1, undefined, 30_000],
    ['transient', 50, 1, 2000, 2000],
    ['transient', 1, 1, 1_800_000, 60_000],
    ['transient', 1, 1, -5, 1000],
    ['credential', 1, 0, undefined, 1000],
    ['credential', 1, 1, undefined, 5000],
    ['request', 3, 0.5, undefined, 12_000],
    ['request', 2000, 1, undefined, 60_000],
  ])('%s failure number %i, drawing %d, Retry-After %s: %d ms', (kind, failures, draw, retryAfterMs, ms) => {
    expect(failurePauseMs({ kind, failures, retryAfterMs }, () => draw)).toBe(ms)
  })
})

// regressions S22
describe('is not remembered', () => {
  it('a secret that could not be read: the next call asks for it again', async () => {
    let asked = 0
    const { server, source } = await sourceAtEndpoint(undefined, {
      clientAuth: clientSecretBasic(async () => {
        asked += 1
        if (asked === 1) throw new Error('the vault is sealed')
        return 'secret'
      }),
    })
    expect(await rejection(source.get())).toMatchObject({ code: 'ERR_TOKENWELL_TOKEN_REQUEST', fromCache: false })
    expect((await source.get()).tokenType).toBe('Bearer')
    expect(server.requests).toHaveLength(1)
  })

  it("a caller's giving up", async () => {
    const { source } = await sourceAtEndpoint({ ...tokenReply(), delayMs: 20 })
    const controller = new AbortController()
    const gone = rejection(source.get({ signal: controller.signal }))
    controller.abort(new Error('gone'))
    expect((await gone).message).toBe('gone')
    expect((await source.get()).tokenType).toBe('Bearer')
  })

  it('having no room, once there is some', async () => {
    const { source } = await sourceAtEndpoint(
      { hang: true },
      { grant: clientCredentials({ parameters: ({ tenant }) => ({ tenant: tenant ?? '' }) }) },
    )
    const waiting = Array.from({ length: 1000 }, (_, index) =>
      rejection(source.get({ context: { tenant: `${index}` } })),
    )
    const first = await rejection(source.get({ context: { tenant: 'x' } }))
    const second = await rejection(source.get({ context: { tenant: 'x' } }))
    expect(first).toBeInstanceOf(OverloadError)
    expect(second).toBeInstanceOf(OverloadError)
    expect(second).toMatchObject({ fromCache: false })
    await source.close()
    await Promise.all(waiting)
  })
})

// A trial that is never released would stand in the way for ever.
it('a trial whose token was refused meanwhile counts as one that went well', async () => {
  const gates = [Promise.resolve(), Promise.resolve(), Promise.withResolvers<void>()]
  const { server, clock, source } = await sourceAtEndpoint(async (_request, index) => {
    const gate = gates[index]
    await (gate !== undefined && 'promise' in gate ? gate.promise : gate)
    return index === 1 ? { status: 400, body: { error: 'invalid_scope' } } : tokenReply()
  })
  const old = await source.get()
  await clock.advance(3_600_000)
  await rejection(source.get())
  await clock.advance(10_000)
  const trial = source.get()
  await expect.poll(() => server.requests.length).toBe(3)
  source.invalidate(old)
  const last = gates[2]
  if (last !== undefined && 'resolve' in last) last.resolve()
  await trial
  expect((await source.get()).tokenType).toBe('Bearer')
})

it("a remembered failure is told as each caller's own error, with the name of the upstream and its cause", async () => {
  const { source } = await sourceAtEndpoint({
    status: 400,
    body: { error: 'invalid_scope', error_description: 'no such scope' },
  })
  const first = (await rejection(source.get())) as TokenRequestError
  const [second, third] = (await Promise.all([rejection(source.get()), rejection(source.get())])) as TokenRequestError[]
  expect(second).not.toBe(third)
  expect(second).toMatchObject({
    error: 'invalid_scope',
    errorDescription: 'no such scope',
    fromCache: true,
    message: first.message,
  })
  expect(second?.cause).toEqual(first.cause)
  expect(second?.cause).not.toBe(third?.cause)
})

// regressions S13: not even having no room for a renewal reaches somebody who has a usable token.
it('a stale token is handed out although there is no room to renew it', async () => {
  const { clock, source, server } = await sourceAtEndpoint(undefined, {
    grant: clientCredentials({ parameters: ({ tenant }) => ({ tenant: tenant ?? '' }) }),
    renewal: { jitter: 0 },
  })
  const held = await source.get()
  server.respondWith({ hang: true })
  const waiting = Array.from({ length: 1000 }, (_, index) => rejection(source.get({ context: { tenant: `${index}` } })))
  // The waiting time out meanwhile, but not before the clock has passed the moment of renewal.
  clock.stepWall(2_880_000)
  expect(await source.get()).toBe(held)
  await source.close()
  await Promise.all(waiting)
})

it('an attempt with a secret provider that never answers ends at its deadline', async () => {
  const { server, clock, source } = await sourceAtEndpoint(undefined, {
    clientAuth: clientSecretBasic(() => new Promise(() => {})),
  })
  expect(await rejection(driven(clock, source.get()))).toBeInstanceOf(TokenEndpointUnreachableError)
  expect(server.requests).toHaveLength(0)
  // What is left is nothing.
  expect(clock.pendingTimers).toBe(0)
})

describe('expired tokens', () => {
  it('are dropped within a minute, and then nothing is left running', async () => {
    const cache = memoryTokenCache()
    const { clock, source } = await sourceAtEndpoint(() => tokenReply({ expiresIn: 100 }), { cache })
    await source.get()
    expect(cache.sweep(() => false)).toBe(1)
    await clock.advance(60_000)
    expect(cache.sweep(() => false)).toBe(1)
    await clock.advance(60_000)
    expect(cache.sweep(() => false)).toBe(0)
    expect(clock.pendingTimers).toBe(0)
  })

  it('are kept for as long as they may still be sent', async () => {
    const cache = memoryTokenCache()
    const { clock, source } = await sourceAtEndpoint(() => tokenReply({ expiresIn: 100 }), {
      cache,
      renewal: { staleIfErrorMs: 60_000 },
    })
    await source.get()
    await clock.advance(120_000)
    expect(cache.sweep(() => false)).toBe(1)
    await clock.advance(60_000)
    expect(cache.sweep(() => false)).toBe(0)
  })

  it('a cache sweeps what it is told to', () => {
    const cache = memoryTokenCache()
    for (const generation of ['1', '2', '3']) {
      const token = createAccessToken({ value: 'v', tokenType: 'Bearer', expiresAt: 0, generation })
      const start = { wall: 0, monotonic: 0 }
      cache.set(generation, { token, lifetime: { start, lifetimeMs: 1, renewAfterMs: 1, usableForMs: 1 } })
    }
    expect(cache.sweep(({ token }) => token.generation !== '2')).toBe(1)
    expect(cache.get('2')).toBeDefined()
    expect(cache.get('1')).toBeUndefined()
  })
})

describe('10,000 callers without a token', () => {
  it('of one key make one token request; of 100 keys, 100', async () => {
    const { server, source } = await sourceAtEndpoint(undefined, {
      grant: clientCredentials({ parameters: ({ tenant }) => ({ tenant: tenant ?? '' }) }),
    })
    await Promise.all(Array.from({ length: 10_000 }, () => source.get()))
    expect(server.requests).toHaveLength(1)
    const tokens = await Promise.all(
      Array.from({ length: 10_000 }, (_, index) => source.get({ context: { tenant: `${index % 100}` } })),
    )
    expect(new Set(tokens).size).toBe(100)
    expect(server.requests).toHaveLength(101)
  })
})
