import { interceptors, request } from 'undici'
import { describe, expect, it } from 'vitest'
import { authorize, createAccessToken, type TokenSource } from '../../src/index.ts'
import { rejection } from '../support.ts'
import { codeOf, entryPoints } from './calls.ts'
import { place } from './positions.ts'
import { serve } from './serve.ts'
import { agent, createRealm, refusal, scripted, tokenOf, upstreamAt, warmSource } from './support.ts'

// regressions S38
describe('64 KiB of challenges', { timeout: 10_000 }, () => {
  const kib = 64 * 1024
  const fill = (text: string) => text.repeat(Math.ceil(kib / text.length)).slice(0, kib)
  it.each([
    ['one challenge of many parameters', `Bearer ${fill('a="b", ')}`],
    ['many challenges', fill('Bearer error="invalid_token", ')],
    ['many schemes', fill('A, ')],
    ['commas', fill(',')],
    ['an unterminated quote', `Bearer error="${fill('x')}`],
    ['a quote that is escaped for ever', `Bearer error="${fill('\\"')}`],
    ['quotes', `Bearer ${fill('"')}`],
    ['a token68', `Bearer ${fill('=')}`],
    ['blanks', `Bearer error${fill(' ')}="invalid_token"`],
    // Would not be sent again, had it been read.
    ['insufficient_scope after one long challenge', `Basic realm="${fill('x')}", Bearer error="insufficient_scope"`],
    ['insufficient_scope after many challenges', `${fill('Basic realm="x", ')}, Bearer error="insufficient_scope"`],
  ])('%s: sent again once, then given as it came', async (_name, wwwAuthenticate) => {
    const realm = await createRealm({ status: 401, headers: { 'www-authenticate': wwwAuthenticate }, body: 'refused' })
    const upstream = upstreamAt(realm.api.url, { oauth: realm.oauth, dispatcher: agent({ maxHeaderSize: 256 * 1024 }) })
    const { statusCode, headers, body } = await upstream.request('/')
    expect([statusCode, await body.text()]).toEqual([401, 'refused'])
    expect(headers['www-authenticate']).toBe(wwwAuthenticate.trim())
    expect(realm.api.requests.map(tokenOf)).toEqual(['token-0', 'token-1'])
  })

  it.each(Object.keys(entryPoints) as (keyof typeof entryPoints)[])(
    'and more than undici reads of headers, fail the call, by %s',
    async (entry) => {
      const realm = await createRealm({ status: 401, headers: { 'www-authenticate': fill('A, ') } })
      const upstream = upstreamAt(realm.api.url, { oauth: realm.oauth })
      const way = { origin: realm.api.url, dispatcher: upstream.dispatcher, upstream }
      expect(await entryPoints[entry](way, '/').catch(codeOf)).toBe('UND_ERR_HEADERS_OVERFLOW')
      expect(realm.api.requests).toHaveLength(1)
      await expect.poll(() => realm.api.openConnectionCount).toBe(0)
    },
  )
})

// regressions S11, J54
it('hints before each refusal do not make it look accepted: no token request for each call', async () => {
  let sends = 0
  await using api = await serve((_request, response) => {
    sends += 1
    response.writeEarlyHints({ link: '</style.css>; rel=preload' })
    response.writeHead(401, { 'www-authenticate': 'Bearer error="invalid_token"' }).end()
  })
  const realm = await createRealm()
  const upstream = upstreamAt(api.url, { oauth: realm.oauth })
  for (let calls = 0; calls < 5; calls++) expect((await upstream.request('/')).statusCode).toBe(401)
  expect(realm.server.requests).toHaveLength(2)
  expect(sends).toBe(6)
})

describe('a redirect that leads back to itself', () => {
  it.each(['inside', 'outside', 'bare authorize, inside', 'bare authorize, outside'] as const)(
    "ends with undici's interceptor %s, and so does fetch",
    async (position) => {
      const realm = await createRealm(({ path }) => ({ redirect: path }))
      const source = await warmSource(realm)
      const interceptor = interceptors.redirect({ maxRedirections: 5 })
      const way = place(position, { interceptor, source, origin: realm.api.url })
      expect(await entryPoints.request(way, '/').catch(codeOf)).toBe('UND_ERR_INVALID_ARG')
      expect(realm.api.requests.length).toBeLessThanOrEqual(6)
      await expect(entryPoints.fetch(way, '/')).rejects.toThrow(TypeError)
      expect(realm.server.requests).toHaveLength(1)
    },
  )

  it('or goes on to ever new paths, ends after as many as undici is told, or fetch allows', async () => {
    const realm = await createRealm((_request, index) => ({ redirect: `/${index}` }))
    const dispatcher = agent().compose(interceptors.redirect({ maxRedirections: 5 }))
    const following = upstreamAt(realm.api.url, { oauth: realm.oauth, dispatcher })
    expect((await following.request('/')).statusCode).toBe(302)
    expect(realm.api.requests).toHaveLength(6)
    await expect(upstreamAt(realm.api.url, { oauth: realm.oauth }).fetch('/')).rejects.toThrow(TypeError)
    expect(realm.api.requests).toHaveLength(6 + 21)
  })

  it('and refuses every token on its way is sent twice for each hop', async () => {
    const realm = await createRealm(({ path }, index) => {
      if (index % 2 === 0) return refusal
      return path === '/xxx' ? { body: {} } : { redirect: `${path}x` }
    })
    const { status } = await upstreamAt(realm.api.url, { oauth: realm.oauth }).fetch('/')
    expect(status).toBe(200)
    const sends = realm.api.requests.map(({ path }) => path)
    expect(sends).toEqual(['/', '/', '/x', '/x', '/xx', '/xx', '/xxx', '/xxx'])
  })
})

it('a connection that is reset whenever the call is sent again fails the call after three sendings', async () => {
  const realm = await createRealm((incoming) => (tokenOf(incoming) === 'token-0' ? refusal : { reset: true }))
  await expect(upstreamAt(realm.api.url, { oauth: realm.oauth }).request('/')).rejects.toMatchObject({
    cause: { code: expect.stringMatching(/ECONNRESET|UND_ERR_SOCKET/) as string },
  })
  expect(realm.api.requests).toHaveLength(3)
})

it('a source that is asked for another token is told when the caller gives up', async () => {
  const api = await scripted(refusal)
  const fields = { tokenType: 'Bearer', expiresAt: Date.now() + 60_000 } as const
  const token = createAccessToken({ ...fields, value: 'refused', generation: 'g' })
  const asked = Promise.withResolvers<AbortSignal | undefined>()
  const source: Pick<TokenSource, 'peek' | 'get' | 'invalidate'> = {
    peek: () => token,
    get: ({ signal } = {}) => {
      asked.resolve(signal)
      return new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason as Error)))
    },
    invalidate: () => true,
  }
  const dispatcher = agent().compose(authorize({ source, origins: [api.url] }))
  const controller = new AbortController()
  const { signal } = controller
  const waiting = rejection(request(api.url, { dispatcher, signal }))
  const told = await asked.promise
  expect(told?.aborted).toBe(false)
  controller.abort(new Error('enough'))
  expect(await waiting).toBe(signal.reason)
  expect(told).toMatchObject({ aborted: true, reason: signal.reason })
})
