import type { ServerResponse } from 'node:http'
import type { StaticReply } from '@tokenwell/testing'
import { interceptors } from 'undici'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { TokenSource } from '../../src/index.ts'
import { rejection } from '../support.ts'
import { entryPoints } from './calls.ts'
import { place, positions } from './positions.ts'
import { serve, type BareServer } from './serve.ts'
import { agent, createRealm, refusal, upstreamAt, warmSource } from './support.ts'

const bearer = { 'www-authenticate': refusal.headers['www-authenticate'] }

/** An API that refuses the first token in its own way, and takes any other. */
async function apiThat(refuses: (response: ServerResponse) => void): Promise<BareServer & { sends: () => number }> {
  let sends = 0
  const api = await serve((incoming, response) => {
    sends += 1
    incoming.resume()
    if (incoming.headers.authorization === 'Bearer token-0') refuses(response)
    else response.end('ok')
  })
  onTestFinished(() => api.close())
  return Object.assign(api, { sends: () => sends })
}

function abortable(): { signal: AbortSignal; abort: () => void } {
  const controller = new AbortController()
  return { signal: controller.signal, abort: () => controller.abort(new Error('enough')) }
}

/** A source, and when it has been asked, has answered, and the answer has been acted upon. */
function watched(source: TokenSource): { source: TokenSource; answered: Promise<void> } {
  const { promise, resolve } = Promise.withResolvers<void>()
  const get: TokenSource['get'] = (options) => {
    const token = source.get(options)
    const done = () => void setImmediate(resolve)
    token.then(done, done)
    return token
  }
  const whole: TokenSource = {
    get,
    peek: (context) => source.peek(context),
    invalidate: (token) => source.invalidate(token),
    close: () => source.close(),
  }
  return { source: whole, answered: promise }
}

describe('the body of a refusal that is replaced', () => {
  // token-semantics §4: a connection is worth reading 64 KiB for.
  it.each([
    [64 * 1024, 1],
    [64 * 1024 + 1, 2],
  ])('of %i bytes takes %i connections', async (length, connections) => {
    const api = await apiThat((response) => response.writeHead(401, bearer).end(Buffer.alloc(length)))
    const upstream = upstreamAt(api.url, { oauth: (await createRealm()).oauth, dispatcher: agent({ connections: 1 }) })
    const { statusCode, body } = await upstream.request('/')
    expect([statusCode, await body.text()]).toEqual([200, 'ok'])
    expect([api.sends(), api.connectionCount]).toEqual([2, connections])
  })

  const endless: StaticReply = { endless: true, status: 401 }
  it.each(positions)(
    'is not read for ever, and its connection ends, with dump %s',
    { timeout: 10_000 },
    async (position) => {
      const realm = await createRealm(undefined, endless)
      const source = await warmSource(realm)
      const way = place(position, { interceptor: interceptors.dump(), source, origin: realm.api.url })
      realm.revoked.add('token-0')
      expect((await entryPoints.request(way, '/')).status).toBe(200)
      // One of them is kept for the next call.
      await expect.poll(() => realm.api.openConnectionCount).toBeLessThanOrEqual(1)
    },
  )

  it('is not read while there is no other token yet', async () => {
    const api = await apiThat((response) => response.writeHead(401, bearer).end(Buffer.alloc(64 * 1024 * 1024)))
    let refused: ServerResponse | undefined
    api.server.prependListener('request', (_request, response: ServerResponse) => (refused ??= response))
    const realm = await createRealm()
    const upstream = upstreamAt(api.url, { oauth: realm.oauth })
    await upstream.tokens.get()
    realm.server.respondWith({ hang: true })
    const { signal, abort } = abortable()
    const waiting = rejection(upstream.request('/', { signal }))
    await expect.poll(() => realm.server.requests.length).toBe(2)
    const other = upstreamAt(api.url)
    for (let calls = 0; calls < 100; calls++) await (await other.request('/')).body.dump()
    expect(refused).toMatchObject({ statusCode: 401, writableFinished: false })
    abort()
    expect(await waiting).toBe(signal.reason)
  })
})

describe('a refusal whose body stalls', () => {
  const stalls = (response: ServerResponse) => {
    response.writeHead(401, { ...bearer, 'content-length': 100 }).write('some of it')
  }

  it('is not waited for', async () => {
    const api = await apiThat(stalls)
    const upstream = upstreamAt(api.url, { oauth: (await createRealm()).oauth })
    const { statusCode, body } = await upstream.request('/')
    expect([statusCode, await body.text()]).toEqual([200, 'ok'])
    await upstream.close()
    await expect.poll(() => api.openConnectionCount).toBe(0)
  })

  const entries = ['fetch', 'request', 'dispatcher.request', 'dispatcher.stream'] as const
  const cases = {
    'that is given as it came': { connections: null, replaced: false },
    'while the call waits to be sent again on the same connection': { connections: 1, replaced: true },
  }
  it.each(Object.entries(cases).flatMap(([when, options]) => entries.map((entry) => ({ when, entry, ...options }))))(
    "$when ends with the caller's signal, by $entry",
    async ({ entry, connections, replaced }) => {
      const realm = await createRealm()
      const api = await apiThat(stalls)
      const { source, answered } = watched(await warmSource(realm))
      if (!replaced) realm.server.respondWith({ status: 400, body: { error: 'invalid_client' } })
      const upstream = upstreamAt(api.url, { oauth: source, dispatcher: agent({ connections }) })
      const { signal, abort } = abortable()
      const way = { origin: api.url, dispatcher: upstream.dispatcher, upstream }
      const waiting = rejection(entryPoints[entry](way, '/', { signal }))
      await answered
      abort()
      expect(await waiting).toBe(signal.reason)
      await expect.poll(() => api.openConnectionCount).toBe(0)
      expect(api.sends()).toBe(1)
    },
  )
})
