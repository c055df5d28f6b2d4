import { once } from 'node:events'
import { createServer } from 'node:http'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { createAuthorizationServer, createManualClock, tokenReply, type Reply } from '@tokenwell/testing'
import { decodeJwt } from 'jose'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import {
  clientSecretBasic,
  clientSecretPost,
  createTokenSource,
  refreshToken,
  TokenRequestError,
  type GrantRequest,
  type RefreshTokenOptions,
} from '../../src/index.ts'
import { driven, rejection, sourceAtEndpoint } from '../support.ts'

const refreshTokenIn = ({ form }: { form: URLSearchParams }) => form.get('refresh_token') ?? ''
const sentTo = (server: { readonly requests: readonly { form: URLSearchParams }[] }) =>
  server.requests.map(refreshTokenIn)

/** A server that takes each refresh token once: `r1`, then what it answered last, `r2` and so on. */
function rotating(options: { expiresIn?: number } = {}): Reply {
  let count = 1
  return ({ form }) => {
    if (form.get('refresh_token') !== `r${count}`) return { status: 400, body: { error: 'invalid_grant' } }
    count += 1
    return tokenReply({ ...options, extra: { refresh_token: `r${count}` } })
  }
}

/** A token source of such a server. */
function rotatingSource(options: Partial<RefreshTokenOptions> = {}, reply: Reply = rotating()) {
  return sourceAtEndpoint(reply, { grant: refreshToken({ refreshToken: 'r1', ...options }) })
}

/** Process warnings of this package, while the test runs. */
function warnings(): Error[] {
  const seen: Error[] = []
  const onWarning = (warning: Error) => void seen.push(warning)
  process.on('warning', onWarning)
  onTestFinished(() => void process.off('warning', onWarning))
  return seen
}

it('sends the refresh token with what the grant asks for', async () => {
  const grant = refreshToken({
    refreshToken: 'r1',
    scope: 'b a',
    resource: 'https://api.example',
    parameters: { p: '1' },
  })
  const { source, server } = await sourceAtEndpoint(undefined, { grant })
  await source.get()
  expect([...(server.requests[0]?.form ?? [])]).toEqual([
    ['grant_type', 'refresh_token'],
    ['refresh_token', 'r1'],
    ['scope', 'a b'],
    ['resource', 'https://api.example'],
    ['p', '1'],
  ])
})

it('uses the same one again as long as the server gives no other', async () => {
  const onRotated = vi.fn()
  const { source, server } = await rotatingSource({ onRotated }, ({ form }) =>
    tokenReply({ extra: { refresh_token: form.get('refresh_token') } }),
  )
  for (let count = 0; count < 3; count += 1) await source.get({ forceRenewal: true })
  server.respondWith(
    () => tokenReply(),
    () => tokenReply({ extra: { refresh_token: null } }),
  )
  for (let count = 0; count < 2; count += 1) await source.get({ forceRenewal: true })
  expect(sentTo(server)).toEqual(['r1', 'r1', 'r1', 'r1', 'r1'])
  expect(onRotated).not.toHaveBeenCalled()
})

describe('a refresh token that takes the place of the one before', () => {
  it('is sent with the next request, and handed on each time', async () => {
    const onRotated = vi.fn()
    const { source, server } = await rotatingSource({ onRotated })
    for (let count = 0; count < 4; count += 1) await source.get({ forceRenewal: true })
    expect(sentTo(server)).toEqual(['r1', 'r2', 'r3', 'r4'])
    expect(onRotated.mock.calls).toEqual(['r2', 'r3', 'r4', 'r5'].map((token) => [token, { subject: undefined }]))
  })

  it('is stored before anybody sees the access token that came with it', async () => {
    const stored = Promise.withResolvers<void>()
    const asked = Promise.withResolvers<string>()
    const { source } = await rotatingSource({
      onRotated: (token) => {
        asked.resolve(token)
        return stored.promise
      },
    })
    const order: string[] = []
    const waiters = [source.get(), source.get()].map((token) => token.then(() => order.push('token')))
    expect(await asked.promise).toBe('r2')
    await setImmediate()
    expect(source.peek()).toBeUndefined()
    order.push('stored')
    stored.resolve()
    await Promise.all(waiters)
    expect(order).toEqual(['stored', 'token', 'token'])
  })

  it('is kept even if the access token that came with it cannot be used', async () => {
    const onRotated = vi.fn()
    const { source, server, clock } = await rotatingSource({ onRotated })
    server.respondWith(tokenReply({ tokenType: 'mac', extra: { refresh_token: 'r2' } }), () => tokenReply())
    expect(await rejection(source.get())).toMatchObject({ code: 'ERR_TOKENWELL_TOKEN_RESPONSE' })
    expect(onRotated).toHaveBeenCalledWith('r2', { subject: undefined })
    await clock.advance(60_000)
    await source.get()
    expect(sentTo(server)).toEqual(['r1', 'r2'])
  })

  it('is used though it could not be stored; a warning says so without it, and the next answer is another chance', async () => {
    const seen = warnings()
    const stored: string[] = []
    const onRotated = vi.fn(async (token: string) => {
      if (onRotated.mock.calls.length === 1) throw new Error(`database: cannot write ${token}`)
      stored.push(token)
    })
    const { source, server } = await rotatingSource({ onRotated })
    server.respondWith(tokenReply({ extra: { refresh_token: 'r2-a-secret' } }), () => tokenReply())
    const waiters = [source.get(), source.get()]
    expect((await Promise.all(waiters)).map(({ tokenType }) => tokenType)).toEqual(['Bearer', 'Bearer'])
    await vi.waitFor(() => expect(seen).toHaveLength(1))
    expect(seen[0]).toMatchObject({
      name: 'TokenwellWarning',
      code: 'TOKENWELL_REFRESH_TOKEN_NOT_STORED',
      message: expect.stringContaining('onRotated failed') as string,
      detail: 'refreshToken: refreshToken: database: cannot write [redacted]',
    })
    // The server gives no other one this time.
    await source.get({ forceRenewal: true })
    expect(sentTo(server)).toEqual(['r1', 'r2-a-secret'])
    expect(stored).toEqual(['r2-a-secret'])
    await source.get({ forceRenewal: true })
    expect(onRotated).toHaveBeenCalledTimes(2)
  })

  it('whose callback hangs fails the request that waits for it, and no other', async () => {
    const hanging = Promise.withResolvers<void>()
    const onRotated = vi.fn(() => (onRotated.mock.calls.length === 1 ? hanging.promise : undefined))
    const { source, server, clock } = await rotatingSource({ onRotated })
    expect(await rejection(driven(clock, source.get()))).toMatchObject({
      code: 'ERR_TOKENWELL_TOKEN_ENDPOINT_UNREACHABLE',
    })
    expect(sentTo(server)).toEqual(['r1'])
    await clock.advance(60_000)
    await source.get()
    expect(sentTo(server)).toEqual(['r1', 'r2'])
    hanging.resolve()
  })
})

describe('where it is kept', () => {
  it('is asked for each token request, and told which', async () => {
    const told: GrantRequest[] = []
    const provider = (request: GrantRequest) => {
      told.push(request)
      return `r${told.length}`
    }
    const { source, server } = await rotatingSource({ refreshToken: provider }, () => tokenReply())
    for (let count = 0; count < 2; count += 1) await source.get({ forceRenewal: true })
    expect(sentTo(server)).toEqual(['r1', 'r2'])
    expect(told).toMatchObject([{ clientId: 'orders', attempt: 1, context: undefined }, { tokenAtHand: true }])
  })

  it('is told the context of the call only if the subject is told by it: one would send the refresh token of another', async () => {
    const told: unknown[] = []
    const provider = ({ context }: GrantRequest) => {
      told.push(context)
      return 'r1'
    }
    const { source } = await rotatingSource({ refreshToken: provider, scope: ({ tenant = '' }) => tenant })
    await source.get({ context: { tenant: 'a' } })
    expect(told).toEqual([undefined])
  })

  it('may lag behind: what was replaced is not sent again, however old it is', async () => {
    const kept = ['r1', 'r1', 'r2', 'r1', 'r4']
    const { source, server } = await rotatingSource({ refreshToken: () => kept.shift() ?? '' })
    for (let count = 0; count < 5; count += 1) await source.get({ forceRenewal: true })
    expect(sentTo(server)).toEqual(['r1', 'r2', 'r3', 'r4', 'r5'])
  })

  it('may be ahead: another process was given a newer one', async () => {
    const kept = ['r1', 'r7', 'r2', 'r7']
    const { source, server } = await rotatingSource({ refreshToken: () => kept.shift() ?? '' }, ({ form }) => {
      const count = Number(form.get('refresh_token')?.slice(1))
      return tokenReply({ extra: { refresh_token: `r${count + 1}` } })
    })
    for (let count = 0; count < 4; count += 1) await source.get({ forceRenewal: true })
    expect(sentTo(server)).toEqual(['r1', 'r7', 'r8', 'r9'])
  })

  it('may be a file', async () => {
    const file = join(await mkdtemp(join(tmpdir(), 'tokenwell-')), 'refresh-token')
    onTestFinished(() => rm(dirname(file), { recursive: true }))
    await writeFile(file, 'r1\n')
    const { source, server } = await rotatingSource({
      refreshToken: { file },
      onRotated: (token) => writeFile(file, token),
    })
    await source.get()
    await source.get({ forceRenewal: true })
    await writeFile(file, 'from somebody else')
    await rejection(source.get({ forceRenewal: true }))
    expect(sentTo(server)).toEqual(['r1', 'r2', 'from somebody else'])
  })

  it('a text that is given once stays known as replaced, after however many', async () => {
    const { source, server } = await rotatingSource()
    for (let count = 0; count < 130; count += 1) await source.get({ forceRenewal: true })
    expect(new Set(sentTo(server)).size).toBe(130)
  })
})

describe('a refresh token is in one request at a time', () => {
  it('when two sources share the grant', async () => {
    const grant = refreshToken({ refreshToken: 'r1' })
    const { source, server } = await sourceAtEndpoint(undefined, { grant })
    const other = createTokenSource({
      tokenEndpoint: `${server.url}/token`,
      clientId: 'orders',
      clientAuth: clientSecretBasic('s3cret'),
      grant,
    })
    onTestFinished(() => other.close())
    server.respondWith(rotating())
    await Promise.all([source.get(), other.get(), source.get()])
    expect(sentTo(server)).toEqual(['r1', 'r2'])
  })

  // regressions S1, J1
  it('when two calls need different tokens', async () => {
    const { source, server } = await rotatingSource({ scope: ({ tenant = '' }) => tenant })
    const held = Promise.withResolvers<void>()
    const reply = rotating() as (...args: Parameters<Extract<Reply, (...args: never) => unknown>>) => object
    server.respondWith(async (...args) => {
      await held.promise
      return reply(...args)
    })
    const tokens = [source.get({ context: { tenant: 'a' } }), source.get({ context: { tenant: 'b' } })]
    await vi.waitFor(() => expect(server.requests).toHaveLength(1))
    held.resolve()
    const [one, two] = await Promise.all(tokens)
    expect([one?.scope, two?.scope]).toEqual(['a', 'b'])
    expect(sentTo(server)).toEqual(['r1', 'r2'])
  })

  it('and who waits for it gives up like any other who waits for a token', async () => {
    const { source, server, clock } = await rotatingSource({ scope: ({ tenant = '' }) => tenant }, { hang: true })
    const tokens = ['a', 'b'].map((tenant) => rejection(source.get({ context: { tenant } })))
    await vi.waitFor(() => expect(server.requests).toHaveLength(1))
    for (const error of await driven(clock, Promise.all(tokens))) {
      expect(error).toMatchObject({ code: 'ERR_TOKENWELL_TOKEN_ENDPOINT_UNREACHABLE' })
    }
  })
})

describe('what may be sent again', () => {
  const truncated = { headers: { 'content-type': 'application/json' }, body: '{"access_token":"abc","refr' }

  it.each<[string, Reply]>([
    ['429', { status: 429 }],
    ['408', { status: 408 }],
    ['that it is not available now', { status: 503, body: { error: 'temporarily_unavailable' } }],
  ])('the server said %s: within the same request', async (_name, reply) => {
    const { source, server, clock } = await rotatingSource()
    server.respondWith(reply, () => tokenReply())
    await driven(clock, source.get())
    expect(sentTo(server)).toEqual(['r1', 'r1'])
  })

  it('the client was not known, and its secret has changed: at once', async () => {
    const secrets = ['old', 'new']
    const { source, server } = await sourceAtEndpoint(
      ({ form }) =>
        form.get('client_secret') === 'new' ? tokenReply() : { status: 401, body: { error: 'invalid_client' } },
      { grant: refreshToken({ refreshToken: 'r1' }), clientAuth: clientSecretPost(() => secrets.shift() ?? '') },
    )
    await source.get()
    expect(sentTo(server)).toEqual(['r1', 'r1'])
  })

  it('the server was not reached: within the same request', async () => {
    const seen: string[] = []
    const listening = createServer((request, response) => {
      request.on('data', (data: Buffer) => seen.push(data.toString()))
      request.on('end', () => {
        response.writeHead(200, { 'content-type': 'application/json' })
        response.end(JSON.stringify(tokenReply().body))
      })
    })
    listening.listen(0, '127.0.0.1')
    await once(listening, 'listening')
    const { port } = listening.address() as AddressInfo
    listening.close()
    const clock = createManualClock()
    const source = createTokenSource({
      tokenEndpoint: `http://127.0.0.1:${port}`,
      clientId: 'orders',
      clientAuth: clientSecretBasic('s3cret'),
      grant: refreshToken({
        refreshToken: ({ attempt }) => {
          if (attempt === 3) listening.listen(port, '127.0.0.1')
          return 'r1'
        },
      }),
      clock,
    })
    onTestFinished(async () => {
      await source.close()
      listening.close()
    })
    await driven(clock, source.get())
    expect(seen).toEqual(['grant_type=refresh_token&refresh_token=r1'])
  })

  it('the secret could not be read: with the next request, even while a token is at hand', async () => {
    const secrets = [() => 's3cret', () => Promise.reject(new Error('vault is away')), () => 's3cret']
    const clientAuth = clientSecretPost(() => secrets.shift()?.() ?? '')
    const grant = refreshToken({ refreshToken: 'r1' })
    const { source, server } = await sourceAtEndpoint(undefined, { grant, clientAuth })
    await source.get()
    await rejection(source.get({ forceRenewal: true }))
    await source.get({ forceRenewal: true })
    expect(sentTo(server)).toEqual(['r1', 'r1'])
  })

  // RFC 9700 §4.14.2: a second use may revoke all that came of it.
  describe.each<[string, Reply]>([
    ['the connection was reset', { reset: true }],
    ['the server answered 500', { status: 500 }],
    ['a gateway answered 502', { status: 502, body: 'Bad Gateway' }],
    ['a gateway answered 503', { status: 503 }],
    ['the answer was cut off', truncated],
    ['the answer was no token', { body: { hello: 'world' } }],
    ['the server said that it failed', { status: 400, body: { error: 'server_error' } }],
    ['no answer came in time', { hang: true }],
  ])('%s, so it may have been used up', (_name, reply) => {
    it('not within the same request, once with the next one if there is no token to lose', async () => {
      const { source, server, clock } = await rotatingSource()
      server.respondWith(reply, rotating())
      const error = await rejection(driven(clock, source.get()))
      expect(error).not.toMatchObject({ error: 'invalid_grant' })
      expect(sentTo(server)).toEqual(['r1'])
      await clock.advance(60_000)
      await source.get()
      await source.get({ forceRenewal: true })
      expect(sentTo(server)).toEqual(['r1', 'r1', 'r2'])
    })

    it('not while a token is at hand, which would be revoked with it', async () => {
      const { source, server, clock } = await rotatingSource({}, () => tokenReply({ expiresIn: 3600 }))
      const token = await source.get()
      server.respondWith(reply, () => tokenReply())
      // Stale: each call starts a renewal, by its back-off.
      await clock.advance(3_000_000)
      expect(await source.get()).toBe(token)
      await vi.waitFor(() => expect(server.requests).toHaveLength(2))
      await driven(clock, Promise.resolve())
      for (let count = 0; count < 20; count += 1) {
        await clock.advance(20_000)
        expect(await source.get()).toBe(token)
      }
      expect(sentTo(server)).toEqual(['r1', 'r1'])
      expect(await rejection(source.get({ forceRenewal: true }))).toMatchObject({
        error: 'invalid_grant',
        tokenEndpointStatus: undefined,
        cause: {
          message: expect.stringContaining('may have been used up by a request whose answer was lost') as string,
        },
      })
      expect(sentTo(server)).toEqual(['r1', 'r1'])
      await clock.advance(3_600_000)
      expect(await source.get()).not.toBe(token)
      expect(sentTo(server)).toEqual(['r1', 'r1', 'r1'])
    })
  })

  it('one that is in doubt gives way to another that the user has by then, and is not sent again', async () => {
    const kept = ['r1', 'r5', 'r1', 'r1']
    const { source, server, clock } = await rotatingSource({ refreshToken: () => kept.shift() ?? '' })
    server.respondWith({ reset: true }, () => tokenReply())
    await rejection(source.get())
    await clock.advance(60_000)
    for (let count = 0; count < 3; count += 1) await source.get({ forceRenewal: true })
    expect(sentTo(server)).toEqual(['r1', 'r5', 'r5', 'r5'])
  })

  it('one that was refused is not: later calls fail before anything is sent, until there is another', async () => {
    let kept = 'refused'
    const { source, server, clock } = await rotatingSource({ refreshToken: () => kept })
    expect(await rejection(source.get())).toMatchObject({ error: 'invalid_grant', tokenEndpointStatus: 400 })
    await clock.advance(60_000)
    const error = await rejection(source.get())
    expect(error).toBeInstanceOf(TokenRequestError)
    expect(error).toMatchObject({
      error: 'invalid_grant',
      tokenEndpointStatus: undefined,
      cause: { message: 'refreshToken: refreshToken: was used up or refused, and there is no newer one' },
    })
    expect(sentTo(server)).toEqual(['refused'])
    kept = 'r1'
    await source.get()
    expect(sentTo(server)).toEqual(['refused', 'r1'])
  })
})

describe('a subject that is a function of the context', () => {
  it('has refresh tokens of its own, and their rotation', async () => {
    const kept = new Map([
      ['a', 'a1'],
      ['b', 'b1'],
    ])
    const grant = refreshToken({
      refreshToken: ({ context }) => kept.get(context?.tenant ?? '') ?? '',
      subject: ({ tenant = '' }) => tenant,
      onRotated: (token, { subject = '' }) => void kept.set(subject, token),
    })
    const { source, server } = await sourceAtEndpoint(
      ({ form }) => {
        const [name = '', count] = form.get('refresh_token') ?? ''
        return tokenReply({ extra: { refresh_token: `${name}${Number(count) + 1}` } })
      },
      { grant },
    )
    for (const tenant of ['a', 'b', 'a', 'a']) await source.get({ context: { tenant }, forceRenewal: true })
    expect(sentTo(server)).toEqual(['a1', 'b1', 'a2', 'a3'])
    expect(Object.fromEntries(kept)).toEqual({ a: 'a4', b: 'b2' })
  })

  // regressions S43, J6
  it('is forgotten with many others after it, unless it could not be stored', async () => {
    const grant = refreshToken({
      refreshToken: ({ context }) => `first of ${context?.tenant}`,
      subject: ({ tenant = '' }) => tenant,
      onRotated: (_token, { subject }) => {
        if (subject === 'not stored') throw new Error('no room')
      },
    })
    const request = { issuer: undefined, tokenEndpoint: '', clientId: '', attempt: 1, tokenAtHand: false }
    const { signal } = new AbortController()
    const next = async (tenant: string) => {
      const context = { tenant }
      const made = await grant.credentials?.({ ...request, signal, context, parameters: grant.parameters(context) })
      await made?.settle?.({ outcome: 'granted', refreshToken: `second of ${tenant}` })
      return made?.parameters[0]?.[1]
    }
    for (const tenant of ['not stored', 'stored']) expect(await next(tenant)).toBe(`first of ${tenant}`)
    expect(await next('stored')).toBe('second of stored')
    for (let count = 0; count < 1000; count += 1) await next(`${count}`)
    expect(await next('not stored')).toBe('second of not stored')
    expect(await next('stored')).toBe('first of stored')
  })
})

describe('whose token it is', () => {
  const keyOf = (options: Partial<RefreshTokenOptions>) =>
    JSON.stringify(refreshToken({ refreshToken: 'r1', ...options }).parameters(undefined))

  it('is told by the text, or by a name, each as a hash; else by nothing that another grant has', () => {
    const provider = () => 'r1'
    expect(keyOf({})).toBe(keyOf({}))
    expect(keyOf({})).not.toBe(keyOf({ refreshToken: 'r2' }))
    expect(keyOf({ refreshToken: 'a-very-secret-one' })).not.toContain('a-very-secret-one')
    expect(keyOf({ refreshToken: provider, subject: 'alice' })).toBe(
      keyOf({ refreshToken: provider, subject: 'alice' }),
    )
    expect(keyOf({ refreshToken: provider })).not.toBe(keyOf({ refreshToken: provider }))
  })
})

it.each<[string, object, string]>([
  [
    'no refresh token',
    { refreshToken: undefined },
    'refreshToken: refreshToken: expected a non-empty string, a function that gives one, or { file }',
  ],
  ['a callback that is none', { onRotated: 'store' }, 'refreshToken: onRotated: expected a function'],
  [
    'one refresh token for many subjects',
    { subject: () => 'x' },
    'refreshToken: refreshToken: expected a function, as subject is one',
  ],
  [
    'an empty name',
    { subject: '' },
    'refreshToken: subject: expected a non-empty string, or a function of the context that gives one',
  ],
  ['a scope that is no text', { scope: [42] }, 'scope: expected a string or an array of strings'],
])('%s is a TypeError that names the option', (_name, options, message) => {
  expect(() => refreshToken({ refreshToken: 's3cret-value', ...options })).toThrow(new TypeError(message))
})

describe('a real authorization server that takes each refresh token once', () => {
  it('gives token after token, narrowed to the scope asked for, and never sees one twice', async () => {
    const server = await createAuthorizationServer()
    const { clientId, secret } = server.clients.basic
    const stored: string[] = []
    const source = createTokenSource({
      issuer: server.issuer,
      clientId,
      clientAuth: clientSecretBasic(secret),
      grant: refreshToken({
        refreshToken: await server.issueRefreshToken({ clientId, subject: 'alice' }),
        scope: 'invoices:read',
        onRotated: (token) => void stored.push(token),
      }),
    })
    onTestFinished(async () => void (await Promise.all([server.close(), source.close()])))
    for (let count = 0; count < 3; count += 1) {
      const token = await source.get({ forceRenewal: true })
      expect(decodeJwt(token.value)).toMatchObject({ sub: 'alice', scope: 'invoices:read' })
    }
    expect(server.tokenRequests.map(({ status }) => status)).toEqual([200, 200, 200])
    expect(new Set(stored).size).toBe(3)
  })

  it('binds them to a key, with a nonce that it asks for', async () => {
    const server = await createAuthorizationServer({ requireDpopNonce: true })
    const { clientId, secret } = server.clients.dpop
    const source = createTokenSource({
      issuer: server.issuer,
      clientId,
      clientAuth: clientSecretBasic(secret),
      grant: refreshToken({ refreshToken: await server.issueRefreshToken({ clientId, subject: 'alice' }) }),
      dpop: true,
    })
    onTestFinished(async () => void (await Promise.all([server.close(), source.close()])))
    for (let count = 0; count < 2; count += 1) await source.get({ forceRenewal: true })
    expect(server.tokenRequests.map(({ status, error }) => error ?? status)).toEqual(['use_dpop_nonce', 200, 200])
  })
})
