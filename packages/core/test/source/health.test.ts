import { tokenReply, type Reply } from '@tokenwell/testing'
import { describe, expect, it } from 'vitest'
import {
  clientCredentials,
  clientSecretBasic,
  tokenExchange,
  TokenRequestError,
  type TokenSource,
} from '../../src/index.ts'
import { driven, rejection, sourceAtEndpoint } from '../support.ts'

const refusal = (error: string): Reply => ({ status: 400, body: { error } })
const trouble: Reply = { status: 503 }
const statusOf = (source: TokenSource) => source.health?.().status
const minute = 60_000

describe('the health of a token source', () => {
  it('is ok while nobody has asked for a token, and asks nobody to find out', async () => {
    const { server, source } = await sourceAtEndpoint(trouble)
    expect(source.health?.()).toEqual({ status: 'ok' })
    expect(server.connectionCount).toBe(0)
  })

  it('is down while the first token is awaited, and ok when it is there', async () => {
    const release = Promise.withResolvers<void>()
    const { source } = await sourceAtEndpoint(async () => {
      await release.promise
      return tokenReply()
    })
    const waiting = source.get()
    expect(source.health?.()).toEqual({ status: 'down' })
    release.resolve()
    await waiting
    expect(source.health?.()).toEqual({ status: 'ok' })
  })

  it.each<[string, Reply]>([
    ['refused', refusal('invalid_client')],
    ['refused for what it asked', refusal('invalid_scope')],
    ['in trouble', trouble],
    ['told nonsense', { body: '<html>' }],
    ['cut off', { reset: true }],
  ])('is down, and says why, when it was %s and has no token', async (_what, reply) => {
    const { clock, server, source } = await sourceAtEndpoint(reply)
    const error = await rejection(driven(clock, source.get()))
    const requests = server.requests.length
    expect(source.health?.()).toMatchObject({ status: 'down', error: { name: error.name, message: error.message } })
    expect(source.health?.().error).not.toBe(source.health?.().error)
    expect(server.requests).toHaveLength(requests)
  })

  it('is down when its own credential cannot be read', async () => {
    const { source } = await sourceAtEndpoint(undefined, {
      clientAuth: clientSecretBasic(() => Promise.reject(new Error('no vault'))),
    })
    await rejection(source.get())
    expect(source.health?.()).toMatchObject({ status: 'down', error: { cause: { message: 'no vault' } } })
  })

  it('is degraded while its renewal fails, down when its token is over, and ok with the next one', async () => {
    const { clock, server, source } = await sourceAtEndpoint(tokenReply({ expiresIn: 100 }))
    await source.get()
    server.respondWith(trouble)
    await clock.advance(85_000)
    // Stale by now: given at once, and renewed in the background.
    await source.get()
    await expect.poll(() => statusOf(source)).toBe('degraded')
    expect(source.health?.().error).toBeInstanceOf(TokenRequestError)
    await clock.advance(15_000)
    expect(statusOf(source)).toBe('down')
    await rejection(driven(clock, source.get()))
    expect(statusOf(source)).toBe('down')
    server.respondWith(() => tokenReply())
    await clock.advance(minute)
    await source.get()
    expect(source.health?.()).toEqual({ status: 'ok' })
  })

  it('stays ok when a token expires that nobody needed any more', async () => {
    const { clock, source } = await sourceAtEndpoint(tokenReply({ expiresIn: 100 }))
    await source.get()
    await clock.advance(1000 * minute)
    expect(statusOf(source)).toBe('ok')
  })

  it('is down when the token was refused by the API and no other is to be had', async () => {
    const { clock, server, source } = await sourceAtEndpoint()
    const token = await source.get()
    server.respondWith(trouble)
    source.invalidate(token)
    await rejection(driven(clock, source.get()))
    expect(statusOf(source)).toBe('down')
  })

  it('is degraded while an expired token is still sent because that was opted for', async () => {
    const { clock, server, source } = await sourceAtEndpoint(tokenReply({ expiresIn: 100 }), {
      renewal: { staleIfErrorMs: 10 * minute },
    })
    await source.get()
    server.respondWith(trouble)
    await clock.advance(2 * minute)
    await driven(clock, source.get())
    expect(statusOf(source)).toBe('degraded')
  })

  // A readiness probe that keeps all calls away would else never hear that things are better.
  it('is degraded again a minute after the last try, so that somebody is let in to try', async () => {
    const { clock, server, source } = await sourceAtEndpoint(refusal('invalid_scope'))
    await rejection(source.get())
    const requests = server.requests.length
    await clock.advance(minute - 1)
    expect(statusOf(source)).toBe('down')
    await clock.advance(1)
    expect(statusOf(source)).toBe('degraded')
    expect(server.requests).toHaveLength(requests)
    await rejection(source.get())
    expect(statusOf(source)).toBe('down')
  })

  it('has nothing internal in its JSON, whatever the token request failed with', async () => {
    const failure = Object.assign(new Error('open'), { path: '/etc/internal', address: '10.0.0.1' })
    const { source } = await sourceAtEndpoint(undefined, {
      grant: {
        ...clientCredentials(),
        credentials: () => ({ parameters: [], settle: () => Promise.reject(failure) }),
      },
    })
    await rejection(source.get())
    expect(source.health?.()).toMatchObject({ status: 'down', error: { cause: failure } })
    expect(JSON.stringify(source.health?.())).not.toMatch(/internal|10\.0/)
  })

  it('is nothing that a caller who gives up changes', async () => {
    const { source } = await sourceAtEndpoint({ delayMs: 20, ...tokenReply() })
    const controller = new AbortController()
    const waiting = rejection(source.get({ signal: controller.signal }))
    controller.abort(new Error('enough'))
    await waiting
    await expect.poll(() => statusOf(source)).toBe('ok')
  })

  it('is down when it was closed', async () => {
    const { source } = await sourceAtEndpoint()
    await source.get()
    await source.close()
    expect(source.health?.()).toMatchObject({ status: 'down', error: { code: 'ERR_TOKENWELL_CLOSED' } })
  })
})

describe('the health of a source for many tenants', () => {
  const byTenant = { grant: clientCredentials({ scope: ({ tenant }) => `tenant:${tenant ?? ''}` }) }
  const of = (tenant: string) => ({ context: { tenant } })

  it('is ok while one of them is refused what the others get', async () => {
    const { clock, source } = await sourceAtEndpoint(
      ({ form }) =>
        form.get('scope') === 'tenant:b' ? { status: 400, body: { error: 'invalid_scope' } } : tokenReply(),
      byTenant,
    )
    await rejection(driven(clock, source.get(of('b'))))
    expect(statusOf(source)).toBe('ok')
    await source.get(of('a'))
    await rejection(driven(clock, source.get(of('b'))))
    expect(statusOf(source)).toBe('ok')
  })

  it('is ok while the first token for one of them is awaited', async () => {
    const release = Promise.withResolvers<void>()
    const { source } = await sourceAtEndpoint(async () => {
      await release.promise
      return tokenReply()
    }, byTenant)
    const waiting = source.get(of('a'))
    expect(source.health?.()).toEqual({ status: 'ok' })
    release.resolve()
    await waiting
  })

  it('is down when the client is refused, with no more than a status', async () => {
    const { source } = await sourceAtEndpoint({ status: 401 }, byTenant)
    await rejection(source.get(of('b')))
    expect(statusOf(source)).toBe('down')
  })

  it.each<[string, Reply, string]>([
    ['ok while one caller is refused, with no more than a status', { status: 401 }, 'ok'],
    ['ok while one caller is refused, in words of its own', { status: 401, body: { error: 'TokenExpired' } }, 'ok'],
    [
      'down when the client is refused on behalf of a caller',
      { status: 401, body: { error: 'invalid_client' } },
      'down',
    ],
  ])('is %s', async (_what, reply, status) => {
    const grant = tokenExchange({ subjectToken: ({ subjectToken }) => subjectToken })
    const { source } = await sourceAtEndpoint(reply, { grant })
    await rejection(source.get({ context: { subjectToken: 's1' } }))
    expect(statusOf(source)).toBe(status)
  })

  it('is degraded when another one gets no token for want of a server, down when nobody has one', async () => {
    const { clock, server, source } = await sourceAtEndpoint(tokenReply({ expiresIn: 100 }), byTenant)
    await source.get(of('a'))
    server.respondWith(trouble)
    await rejection(driven(clock, source.get(of('b'))))
    expect(statusOf(source)).toBe('degraded')
    await clock.advance(2 * minute)
    await rejection(driven(clock, source.get(of('b'))))
    expect(statusOf(source)).toBe('down')
  })
})
