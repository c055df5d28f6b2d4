import { AsyncResource } from 'node:async_hooks'
import { getEventListeners } from 'node:events'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import {
  createScriptedServer,
  tokenReply,
  type RecordedRequest,
  type Reply,
  type ScriptedServer,
} from '@tokenwell/testing'
import { Agent, interceptors, MockAgent, Pool, request as undiciRequest, type Dispatcher } from 'undici'
import { describe, expect, it, onTestFinished } from 'vitest'
import {
  authorize,
  clientSecretBasic,
  createAccessToken,
  createTokenSource,
  createUpstream,
  createUpstreams,
  OriginNotAllowedError,
  PathNotAllowedError,
  TokenRequestError,
  UpstreamClosedError,
  type AccessToken,
  type RequestOptions,
  type TokenSource,
  type Upstream,
  type UpstreamOptions,
} from '../../src/index.ts'
import { rejection, tokenEndpoint } from '../support.ts'

type UndiciHeaders = Exclude<RequestOptions['headers'], undefined>

async function scripted(reply: Reply = { body: { ok: true } }): Promise<ScriptedServer> {
  const server = await createScriptedServer(reply)
  onTestFinished(() => server.close())
  return server
}

/** A source that always has the same token. */
function fixedSource(value = 'fixed-token'): TokenSource {
  const token: AccessToken = createAccessToken({
    value,
    tokenType: 'Bearer',
    expiresAt: Date.now() + 60_000,
    generation: 'g',
  })
  return { peek: () => token, get: async () => token, invalidate: () => false, close: async () => {} }
}

function upstreamAt(baseUrl: string, options: Partial<UpstreamOptions> = {}): Upstream {
  const upstream = createUpstream({ baseUrl, oauth: fixedSource(), ...options })
  onTestFinished(() => upstream.close())
  return upstream
}

const authorizations = (server: ScriptedServer) => server.requests.map(({ headers }) => headers.authorization)
const headerNames = ({ rawHeaders }: RecordedRequest) =>
  rawHeaders.filter((_, index) => index % 2 === 0).map((name) => name.toLowerCase())

describe('every call carries the token', () => {
  it('through fetch, request and dispatcher, with what the call itself says', async () => {
    const api = await scripted(({ method, text }) => ({ status: 201, body: { method, text } }))
    const upstream = upstreamAt(`${api.url}/v1`)
    const init = { method: 'POST', body: '{"a":1}', headers: { 'content-type': 'application/json' } } as const
    const fetched = await upstream.fetch('/x?y=1', init)
    expect([fetched.status, await fetched.json()]).toEqual([201, { method: 'POST', text: '{"a":1}' }])
    const requested = await upstream.request('/x?y=1', init)
    expect([requested.statusCode, await requested.body.json()]).toEqual([201, { method: 'POST', text: '{"a":1}' }])
    const dispatched = await undiciRequest(`${api.url}/v1/x?y=1`, { ...init, dispatcher: upstream.dispatcher })
    expect([dispatched.statusCode, await dispatched.body.json()]).toEqual([201, { method: 'POST', text: '{"a":1}' }])
    for (const request of api.requests) {
      expect(request).toMatchObject({
        path: '/v1/x?y=1',
        headers: { authorization: 'Bearer fixed-token', 'content-type': 'application/json' },
      })
    }
    expect(api.requests).toHaveLength(3)
  })

  it('fetch and request work unbound', async () => {
    const api = await scripted()
    const { fetch, request } = upstreamAt(api.url)
    expect((await fetch('/a')).status).toBe(200)
    expect((await request('/b')).statusCode).toBe(200)
  })

  // regressions J52
  it.each<[string, UndiciHeaders]>([
    ['an object', { 'x-a': '1' }],
    ['a flat array', ['x-a', '1']],
    ['Headers', new Headers({ 'x-a': '1' })],
    ['a Map', new Map([['x-a', '1']])],
    ['null', null],
  ])('whatever form its headers have: %s', async (name, headers) => {
    const api = await scripted()
    const { statusCode } = await upstreamAt(api.url).request('/', { headers })
    expect(statusCode).toBe(200)
    expect(api.requests[0]?.headers).toMatchObject({
      authorization: 'Bearer fixed-token',
      ...(name === 'null' ? {} : { 'x-a': '1' }),
    })
  })

  // regressions S41, J52
  it.each<[string, UndiciHeaders]>([
    ['an object', { Authorization: 'Bearer mine' }],
    ['a flat array', ['AUTHORIZATION', 'Bearer mine']],
    ['Headers', new Headers({ authorization: 'Bearer mine' })],
    ['pairs', [['authorization', 'Bearer mine']] as never],
  ])('but one that the caller set is kept and not doubled: %s', async (name, headers) => {
    const api = await scripted()
    const form = name === 'pairs' ? new Map(headers as never) : headers
    await upstreamAt(api.url).request('/', { headers: form as never })
    expect(api.requests[0]?.headers.authorization).toBe('Bearer mine')
    expect(headerNames(api.requests[0] ?? expect.fail()).filter((field) => field === 'authorization')).toHaveLength(1)
  })

  it('the headers object of the caller is not touched', async () => {
    const api = await scripted()
    const headers = Object.freeze({ 'x-a': '1' })
    await upstreamAt(api.url).request('/', { headers })
    expect(headers).toEqual({ 'x-a': '1' })
  })

  it('the headers of the upstream too, unless the call says otherwise', async () => {
    const api = await scripted()
    const upstream = upstreamAt(api.url, { headers: { 'X-Api-Version': '2', accept: 'application/json' } })
    await upstream.fetch('/')
    await upstream.request('/', { headers: { 'x-api-version': '3' } })
    expect(api.requests.map(({ headers }) => headers['x-api-version'])).toEqual(['2', '3'])
    expect(api.requests[1]?.headers.accept).toBe('application/json')
  })
})

describe("fetch takes this Node's own classes", () => {
  it('Request, with method, headers and body', async () => {
    const api = await scripted()
    const request = new Request(`${api.url}/v1/x`, { method: 'PUT', headers: { 'x-a': '1' }, body: 'hello' })
    expect((await upstreamAt(`${api.url}/v1`).fetch(request)).status).toBe(200)
    expect(api.requests[0]).toMatchObject({
      method: 'PUT',
      path: '/v1/x',
      text: 'hello',
      headers: { 'x-a': '1', authorization: 'Bearer fixed-token' },
    })
  })

  it('FormData with a file, URLSearchParams, Blob and Headers', async () => {
    const api = await scripted()
    const { fetch } = upstreamAt(api.url)
    const form = new FormData()
    form.set('a', '1')
    form.set('f', new File(['content'], 'name.txt', { type: 'text/plain' }))
    await fetch('/', { method: 'POST', body: form })
    await fetch('/', { method: 'POST', body: new URLSearchParams({ a: '1' }), headers: new Headers({ 'x-a': '1' }) })
    await fetch('/', { method: 'POST', body: new Blob(['blob'], { type: 'text/css' }) })
    const [multipart, search, blob] = api.requests
    expect(multipart?.headers['content-type']).toMatch(/^multipart\/form-data; boundary=/)
    expect(multipart?.text).toMatch(
      /name="a"\r\n\r\n1\r\n[^]*filename="name.txt"\r\nContent-Type: text\/plain\r\n\r\ncontent/,
    )
    expect(search).toMatchObject({ text: 'a=1', headers: { 'x-a': '1' } })
    expect(blob).toMatchObject({ text: 'blob', headers: { 'content-type': 'text/css' } })
  })

  it('a signal: its reason is what the call rejects with', async () => {
    const api = await scripted({ hang: true })
    const controller = new AbortController()
    const reason = new Error('enough')
    const viaFetch = rejection(upstreamAt(api.url).fetch('/', { signal: controller.signal }))
    const viaRequest = rejection(upstreamAt(api.url).request('/', { signal: controller.signal }))
    await expect.poll(() => api.requests.length).toBe(2)
    controller.abort(reason)
    expect([await viaFetch, await viaRequest]).toEqual([reason, reason])
  })
})

describe('fetch reads its arguments as fetch does', () => {
  it.each<[string, (url: string) => Parameters<typeof fetch>]>([
    ['a Request as init', (url) => [url, new Request(url, { method: 'POST', body: 'hello', headers: { 'x-a': '1' } })]],
    [
      'a body of null beside a Request',
      (url) => [new Request(url, { method: 'POST', body: 'hello', headers: { 'x-a': '1' } }), { body: null }],
    ],
    [
      'members of undefined',
      (url) => [
        url,
        { method: 'POST', body: 'hello', headers: { 'x-a': '1' }, signal: undefined, redirect: undefined } as never,
      ],
    ],
  ])('%s', async (_name, argumentsOf) => {
    const api = await scripted()
    await upstreamAt(api.url).fetch(...argumentsOf(api.url))
    expect(api.requests[0]).toMatchObject({ method: 'POST', text: 'hello', headers: { 'x-a': '1' } })
  })
})

describe('a request of another undici', () => {
  // regressions J56
  it.each(['fresh', 'not yet there'])('is told so at once, with a token that is %s', async (when) => {
    const server = await tokenEndpoint()
    const upstream = upstreamAt(server.url, {
      oauth: { tokenEndpoint: server.url, clientId: 'orders', clientAuth: clientSecretBasic('s') },
    })
    if (when === 'fresh') await upstream.tokens.get()
    const oldStyle = { onConnect() {}, onHeaders: () => true, onData: () => true, onComplete() {}, onError() {} }
    expect(() =>
      upstream.dispatcher.dispatch({ origin: server.url, path: '/', method: 'GET' }, oldStyle as never),
    ).toThrow(/undici 8.*use the fetch of the upstream/s)
  })
})

it.each<[string, unknown]>([
  ['nothing', undefined],
  ['something that is no token', { value: 'x' }],
])('a source that gives %s fails the call', async (_name, given) => {
  const api = await scripted()
  const source = { ...fixedSource(), peek: () => undefined, get: async () => given as AccessToken }
  const upstream = upstreamAt(api.url, { oauth: source })
  expect(await rejection(upstream.request('/'))).toBeInstanceOf(TypeError)
  expect(api.connectionCount).toBe(0)
})

it('headers that can be read once are sent', async () => {
  const api = await scripted()
  const headers = (function* (): Generator<[string, string]> {
    yield ['x-a', '1']
  })()
  await upstreamAt(api.url).request('/', { headers })
  expect(api.requests[0]?.headers['x-a']).toBe('1')
})

it('an origin that is none is refused as such', async () => {
  const { dispatcher } = upstreamAt('https://api.example')
  expect(await rejection(dispatcher.request({ origin: 'garbage', path: '/', method: 'GET' }))).toBeInstanceOf(
    OriginNotAllowedError,
  )
})

describe('without a token', () => {
  // regressions S24, J33
  it('nothing is sent, and the call rejects with the typed error through every entry point', async () => {
    const api = await scripted()
    const server = await tokenEndpoint({ status: 400, body: { error: 'invalid_scope' } })
    const upstream = upstreamAt(api.url, {
      oauth: { tokenEndpoint: server.url, clientId: 'orders', clientAuth: clientSecretBasic('s') },
    })
    const errors = [
      await rejection(upstream.fetch('/')),
      await rejection(upstream.request('/')),
      await rejection(undiciRequest(api.url, { dispatcher: upstream.dispatcher })),
    ]
    for (const error of errors) expect(error).toBeInstanceOf(TokenRequestError)
    expect(new Set(errors).size).toBe(3)
    expect(api.connectionCount).toBe(0)
  })

  it('a caller that gives up while waiting for one is answered at once, and nothing is sent', async () => {
    const api = await scripted()
    const server = await tokenEndpoint({ hang: true })
    const upstream = upstreamAt(api.url, {
      oauth: { tokenEndpoint: server.url, clientId: 'orders', clientAuth: clientSecretBasic('s') },
    })
    const controller = new AbortController()
    const waiting = [
      rejection(upstream.request('/', { signal: controller.signal })),
      rejection(upstream.fetch('/', { signal: controller.signal })),
    ]
    await expect.poll(() => server.requests.length).toBe(1)
    const reason = new Error('enough')
    controller.abort(reason)
    expect(await Promise.all(waiting)).toEqual([reason, reason])
    expect(api.connectionCount).toBe(0)
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0)
  })
})

// regressions S2, S28, J46, J47
describe('the token goes nowhere else', () => {
  it('a call to another origin is refused before anything is sent', async () => {
    const [api, evil] = [await scripted(), await scripted()]
    const upstream = upstreamAt(api.url)
    expect(await rejection(upstream.fetch(`${evil.url}/x`))).toBeInstanceOf(OriginNotAllowedError)
    expect(await rejection(upstream.fetch(new Request(evil.url)))).toBeInstanceOf(OriginNotAllowedError)
    expect(await rejection(upstream.request(new URL(evil.url)))).toBeInstanceOf(OriginNotAllowedError)
    expect(await rejection(undiciRequest(evil.url, { dispatcher: upstream.dispatcher }))).toBeInstanceOf(
      OriginNotAllowedError,
    )
    expect(await rejection(upstream.fetch('/../x'))).toBeInstanceOf(PathNotAllowedError)
    expect(await rejection(upstream.request('//evil.example'))).toBeInstanceOf(PathNotAllowedError)
    expect([api.connectionCount, evil.connectionCount]).toEqual([0, 0])
  })

  it('further origins may be allowed', async () => {
    const [api, files] = [await scripted(), await scripted()]
    await upstreamAt(api.url, { origins: [files.url] }).fetch(`${files.url}/f`)
    expect(authorizations(files)).toEqual(['Bearer fixed-token'])
  })

  it.each([301, 302, 303, 307, 308])(
    'fetch follows a %i to another origin without it, and without the headers of the upstream',
    async (status) => {
      const elsewhere = await scripted()
      const api = await scripted({ redirect: `${elsewhere.url}/there`, status })
      const response = await upstreamAt(api.url, { headers: { 'x-api-key': 'k' } }).fetch('/', {
        method: 'POST',
        body: 'b',
      })
      expect(response.status).toBe(200)
      expect(authorizations(api)).toEqual(['Bearer fixed-token'])
      expect(elsewhere.requests[0]?.headers).not.toHaveProperty('authorization')
      expect(elsewhere.requests[0]?.headers).not.toHaveProperty('x-api-key')
    },
  )

  it('fetch follows a redirect within the origin with it', async () => {
    const api = await scripted(({ path }) => (path === '/v1/a' ? { redirect: '/v1/b' } : { status: 200 }))
    expect((await upstreamAt(`${api.url}/v1`).fetch('/a')).status).toBe(200)
    expect(authorizations(api)).toEqual(['Bearer fixed-token', 'Bearer fixed-token'])
  })

  it.each([['inside', (agent: Agent) => agent.compose(interceptors.redirect({ maxRedirections: 3 }))]])(
    "undici's redirect interceptor %s of ours does not take it along",
    async (_name, compose) => {
      const elsewhere = await scripted()
      const api = await scripted({ redirect: elsewhere.url })
      const agent = new Agent()
      onTestFinished(() => agent.destroy())
      const { statusCode } = await upstreamAt(api.url, { dispatcher: compose(agent) }).request('/')
      expect(statusCode).toBe(200)
      expect(authorizations(elsewhere)).toEqual([undefined])
    },
  )
})

describe('authorize, the bare interceptor', () => {
  it('authorizes allowed origins alone, and asks the source when there is no token yet', async () => {
    const server = await tokenEndpoint(tokenReply({ accessToken: 'abc' }))
    const [api, other] = [await scripted(), await scripted()]
    const source = createTokenSource({
      tokenEndpoint: server.url,
      clientId: 'orders',
      clientAuth: clientSecretBasic('s'),
    })
    const agent = new Agent()
    onTestFinished(async () => void (await Promise.all([source.close(), agent.destroy()])))
    const dispatcher = agent.compose(authorize({ source, origins: [api.url] }))
    await undiciRequest(api.url, { dispatcher })
    await undiciRequest(api.url.toUpperCase().replace('HTTP', 'http'), { dispatcher })
    await undiciRequest(other.url, { dispatcher })
    expect(authorizations(api)).toEqual(['Bearer abc', 'Bearer abc'])
    expect(authorizations(other)).toEqual([undefined])
    expect(server.requests).toHaveLength(1)
  })

  it('authorizes nothing without origins, not even a request that names none', () => {
    const sent: Dispatcher.DispatchOptions[] = []
    const dispatch = authorize({ source: fixedSource(), origins: [] })((options) => sent.push(options) > 0)
    // undici says where each request goes; who calls an interceptor by himself may not.
    dispatch({ path: '/', method: 'GET' }, { onRequestStart() {} })
    expect(sent).toEqual([{ path: '/', method: 'GET' }])
  })

  it("drops it when undici's redirect interceptor outside of it goes to another origin", async () => {
    const elsewhere = await scripted()
    const api = await scripted({ redirect: elsewhere.url })
    const agent = new Agent()
    onTestFinished(() => agent.destroy())
    const dispatcher = agent.compose(
      authorize({ source: fixedSource(), origins: [api.url] }),
      interceptors.redirect({ maxRedirections: 3 }),
    )
    expect((await undiciRequest(api.url, { dispatcher })).statusCode).toBe(200)
    expect(authorizations(api)).toEqual(['Bearer fixed-token'])
    expect(authorizations(elsewhere)).toEqual([undefined])
  })

  it.each([['nonsense'], ['ftp://api.example'], [undefined]])('refuses %j as an origin', (origin) => {
    expect(() => authorize({ source: fixedSource(), origins: [origin as string] })).toThrow(TypeError)
  })
})

describe('a dispatcher that is given', () => {
  it('is used, and left open', async () => {
    const api = await scripted()
    const pool = new Pool(api.url)
    onTestFinished(() => pool.destroy())
    const upstream = upstreamAt(api.url, { dispatcher: pool })
    await upstream.request('/')
    await upstream.close()
    expect((await pool.request({ path: '/', method: 'GET' })).statusCode).toBe(200)
    expect(authorizations(api)).toEqual(['Bearer fixed-token', undefined])
  })

  it('may be a MockAgent', async () => {
    const mock = new MockAgent()
    mock.disableNetConnect()
    mock
      .get('https://api.example')
      .intercept({ path: '/v1/x', headers: { authorization: 'Bearer fixed-token' } })
      .reply(200, 'mocked')
    onTestFinished(() => mock.close())
    const response = await upstreamAt('https://api.example/v1', { dispatcher: mock }).fetch('x')
    expect(await response.text()).toBe('mocked')
  })

  it('may serve the authorization server alone', async () => {
    const mock = new MockAgent()
    mock.disableNetConnect()
    mock
      .get('https://as.example')
      .intercept({ path: '/token', method: 'POST' })
      .reply(200, { access_token: 'abc', token_type: 'Bearer' }, { headers: { 'content-type': 'application/json' } })
    onTestFinished(() => mock.close())
    const source = createTokenSource({
      tokenEndpoint: 'https://as.example/token',
      clientId: 'orders',
      clientAuth: clientSecretBasic('s'),
      dispatcher: mock,
    })
    expect((await source.get()).value).toBe('abc')
    await source.close()
    expect(() => mock.get('https://as.example')).not.toThrow()
  })
})

describe('close', () => {
  it.each(['own', 'given'])(
    'aborts what is under way on a dispatcher of its %s, and refuses later calls',
    async (kind) => {
      const api = await scripted({ hang: true })
      const agent = new Agent()
      onTestFinished(() => agent.destroy())
      const upstream = upstreamAt(api.url, kind === 'own' ? {} : { dispatcher: agent })
      const waiting = [rejection(upstream.fetch('/')), rejection(upstream.request('/'))]
      await expect.poll(() => api.requests.length).toBe(2)
      await upstream.close()
      for (const error of [
        ...(await Promise.all(waiting)),
        await rejection(upstream.fetch('/')),
        await rejection(upstream.request('/')),
        await rejection(undiciRequest(api.url, { dispatcher: upstream.dispatcher })),
      ]) {
        expect(error).toBeInstanceOf(UpstreamClosedError)
        expect(error).toMatchObject({ code: 'ERR_TOKENWELL_CLOSED' })
      }
      await expect.poll(() => api.openConnectionCount).toBe(0)
    },
  )

  it('ends calls that wait for a source that was given, and calls that wait for their turn', async () => {
    const api = await scripted({ hang: true })
    const hanging: TokenSource = {
      peek: () => undefined,
      get: ({ signal } = {}) =>
        new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason as Error))),
      invalidate: () => false,
      close: async () => {},
    }
    const waiting = upstreamAt(api.url, { oauth: hanging })
    const pool = new Pool(api.url, { connections: 1 })
    onTestFinished(() => pool.destroy())
    const queued = upstreamAt(api.url, { dispatcher: pool })
    const calls = [
      rejection(waiting.fetch('/')),
      rejection(waiting.request('/')),
      rejection(queued.request('/')),
      rejection(queued.request('/')),
      rejection(queued.fetch('/')),
    ]
    await expect.poll(() => api.requests.length).toBe(1)
    await Promise.all([waiting.close(), queued.close()])
    for (const error of await Promise.all(calls)) expect(error).toBeInstanceOf(UpstreamClosedError)
  })

  it('leaves a token source that was given open', async () => {
    const server = await tokenEndpoint()
    const source = createTokenSource({
      tokenEndpoint: server.url,
      clientId: 'orders',
      clientAuth: clientSecretBasic('s'),
    })
    onTestFinished(() => source.close())
    await createUpstream({ baseUrl: 'https://api.example', oauth: source }).close()
    expect((await source.get()).tokenType).toBe('Bearer')
  })
})

describe('with and run', () => {
  const oneUpstream = (url: string) => {
    const upstreams = createUpstreams({ billing: { baseUrl: url, oauth: fixedSource() } })
    onTestFinished(() => upstreams.close())
    return upstreams
  }

  it('put the headers of the context on each call, through every entry point', async () => {
    const api = await scripted()
    const upstreams = oneUpstream(api.url)
    const bound = upstreams.with({ headers: { 'X-Request-Id': 'r1' } })
    await bound.billing.fetch('/')
    await bound.billing.request('/', { headers: ['x-request-id', 'mine'] })
    await undiciRequest(api.url, { dispatcher: bound.billing.dispatcher })
    await upstreams.run({ headers: { 'x-request-id': 'r2' } }, async () => {
      await upstreams.billing.fetch('/')
      await upstreams.billing.with({ headers: { 'x-other': 'o' } }).fetch('/')
    })
    await upstreams.billing.fetch('/')
    expect(api.requests.map(({ headers }) => headers['x-request-id'])).toEqual([
      'r1',
      'mine',
      'r1',
      'r2',
      'r2',
      undefined,
    ])
    expect(api.requests[4]?.headers['x-other']).toBe('o')
  })

  it.each([
    ['an error', () => new Error('the caller hung up')],
    ['an AbortError', () => new DOMException('the caller hung up', 'AbortError')],
    ['a text', () => 'the caller hung up'],
  ])(
    'end calls with the signal of the context, whose reason they reject with: %s; no listener stays',
    async (_name, make) => {
      const api = await scripted({ hang: true })
      const controller = new AbortController()
      const { billing } = oneUpstream(api.url).with({ signal: controller.signal })
      const waiting = [
        rejection(billing.fetch('/')),
        rejection(billing.request('/')),
        rejection(undiciRequest(api.url, { dispatcher: billing.dispatcher })),
      ]
      await expect.poll(() => api.requests.length).toBe(3)
      const reason = make()
      controller.abort(reason)
      expect(await Promise.all(waiting)).toEqual([reason, reason, reason])
      expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0)
      expect(await rejection(billing.request('/'))).toBe(reason)
    },
  )

  it.each(['fetch', 'request'] as const)(
    'end the body that is being read, with the same reason, through %s',
    async (entry) => {
      const api = await scripted({ endless: true })
      const controller = new AbortController()
      const { billing } = oneUpstream(api.url).with({ signal: controller.signal })
      const reading = rejection(
        entry === 'fetch' ? (await billing.fetch('/')).text() : (await billing.request('/')).body.text(),
      )
      const reason = new Error('the caller hung up')
      controller.abort(reason)
      expect(await reading).toBe(reason)
      await expect.poll(() => api.openConnectionCount).toBe(0)
      expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0)
    },
  )

  it('an interceptor outside of ours sends again in the name of the same call', async () => {
    const seen: string[] = []
    const api = await scripted(({ path, headers }) => {
      seen.push(`${path} ${String(headers['x-request-id'])}`)
      if (path === '/redirect') return { redirect: '/target' }
      return { status: path === '/flaky' && seen.filter((entry) => entry.startsWith(path)).length === 1 ? 503 : 200 }
    })
    const upstreams = oneUpstream(api.url)
    const dispatcher = upstreams.billing.dispatcher.compose(
      interceptors.redirect({ maxRedirections: 2 }),
      interceptors.retry({ minTimeout: 1 }),
    )
    const callAs = (id: string, path: string) =>
      upstreams.run({ headers: { 'x-request-id': id } }, async () => {
        const { body } = await undiciRequest(api.url + path, { dispatcher })
        await body.dump()
      })
    await callAs('a', '/plain')
    await callAs('b', '/redirect')
    await callAs('b', '/flaky')
    expect(seen).toEqual(['/plain a', '/redirect b', '/target b', '/flaky b', '/flaky b'])
  })

  it('a function gives the context of run when the first call asks for it, on top of the one around', async () => {
    const api = await scripted()
    const upstreams = oneUpstream(api.url)
    const get = async () => (await upstreams.billing.request('/')).body.dump()
    let asked = 0
    const context = () => ({ headers: { 'x-request-id': `r${(asked += 1)}` } })
    const before = upstreams.run(context, () => asked)
    await upstreams.run({ headers: { 'x-job': 'nightly' } }, () =>
      upstreams.run(context, () => Promise.all([get(), get()])),
    )
    expect({ before, asked }).toEqual({ before: 0, asked: 1 })
    const sent = api.requests.map(({ headers }) => [headers['x-job'], headers['x-request-id']])
    expect(sent).toEqual([
      ['nightly', 'r1'],
      ['nightly', 'r1'],
    ])
  })

  it('a function that gave the context is let go, whatever was opened inside', async () => {
    const api = await scripted()
    const upstreams = oneUpstream(api.url)
    const serve = async () => {
      const inbound = { id: 'a' }
      const context = () => ({ headers: { 'x-request-id': inbound.id } })
      // Keeps what is around it for as long as it lives, as a connection does.
      const opened = await upstreams.run(context, async () => {
        await (await upstreams.billing.request('/')).body.dump()
        return new AsyncResource('connection')
      })
      return { opened, inbound: new WeakRef(inbound) }
    }
    const { opened, inbound } = await serve()
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as () => void
    const isThere = () => {
      collect()
      return inbound.deref() !== undefined
    }
    await expect.poll(isThere).toBe(false)
    expect(opened.asyncId()).toBeGreaterThan(0)
  })

  it.each(['request', 'fetch'] as const)('what a function of run throws, %s rejects with', async (entry) => {
    const api = await scripted()
    const upstreams = oneUpstream(api.url)
    const thrown = new Error('no tenant')
    const context = () => {
      throw thrown
    }
    expect(await upstreams.run(context, () => rejection<unknown>(upstreams.billing[entry]('/')))).toBe(thrown)
    expect(api.requests).toEqual([])
  })

  it('a set that was bound outside keeps nothing of who uses it first', async () => {
    const api = await scripted()
    const upstreams = oneUpstream(api.url)
    const background = upstreams.with({ headers: { 'x-job': 'nightly' } })
    await upstreams.run({ headers: { 'x-request-id': 'a' }, tenant: 'a' }, () => background.billing.fetch('/'))
    await background.billing.fetch('/')
    expect(api.requests.map(({ headers }) => headers['x-request-id'])).toEqual([undefined, undefined])
    expect(api.requests.map(({ headers }) => headers['x-job'])).toEqual(['nightly', 'nightly'])
  })

  it('leave no listener on the signal after calls that went well', async () => {
    const api = await scripted()
    const { signal } = new AbortController()
    const { billing } = oneUpstream(api.url).with({ signal })
    for (let call = 0; call < 20; call++) await (await billing.fetch('/')).text()
    expect(getEventListeners(signal, 'abort')).toHaveLength(0)
  })

  it("with signalAborts 'safe-methods' a change goes on", async () => {
    const api = await scripted(({ method }) => (method === 'GET' ? { hang: true } : { status: 200, delayMs: 100 }))
    const controller = new AbortController()
    const { billing } = oneUpstream(api.url).with({ signal: controller.signal, signalAborts: 'safe-methods' })
    const changing = billing.fetch('/', { method: 'POST', body: 'x' })
    const reading = rejection(billing.fetch('/'))
    await expect.poll(() => api.requests.length).toBe(2)
    controller.abort(new Error('gone'))
    expect(await reading).toBe(controller.signal.reason)
    expect((await changing).status).toBe(200)
  })

  it('refuse headers that are not theirs to set', () => {
    const upstreams = oneUpstream('https://api.example')
    for (const name of ['authorization', 'Cookie', 'host', 'dpop']) {
      expect(() => upstreams.with({ headers: { [name]: 'x' } })).toThrow(
        new TypeError(`context.headers.${name}: may not be set here`),
      )
    }
    expect(() => upstreams.with({ headers: { 'x-a': 'b\r\nc: d' } })).toThrow(TypeError)
  })
})

describe('createUpstreams', () => {
  // regressions S47
  it('an upstream whose authorization server is not there is nothing to the others, nor while nobody calls it', async () => {
    const [api, server] = [await scripted(), await tokenEndpoint()]
    const gone = await tokenEndpoint()
    await gone.close()
    const clientAuth = clientSecretBasic('s')
    const upstreams = createUpstreams({
      broken: { baseUrl: api.url, oauth: { issuer: gone.url, clientId: 'orders', clientAuth } },
      working: { baseUrl: api.url, oauth: { tokenEndpoint: server.url, clientId: 'orders', clientAuth } },
    })
    onTestFinished(() => upstreams.close())
    expect((await upstreams.working.fetch('/')).status).toBe(200)
    expect(gone.connectionCount).toBe(0)
    expect(await rejection(upstreams.broken.fetch('/'))).toMatchObject({ upstream: 'broken', statusCode: 503 })
    expect((await upstreams.working.fetch('/')).status).toBe(200)
  })

  it('warmUp gets a token for each, and rejects if one cannot be had', async () => {
    const server = await tokenEndpoint()
    const oauth = { tokenEndpoint: server.url, clientId: 'orders', clientAuth: clientSecretBasic('s') }
    const upstreams = createUpstreams({
      a: { baseUrl: 'https://a.example', oauth },
      b: { baseUrl: 'https://b.example', oauth: { ...oauth, scope: 'b' } },
    })
    onTestFinished(() => upstreams.close())
    await upstreams.warmUp()
    expect(server.requests).toHaveLength(2)
    expect(upstreams.a.tokens.peek()).toBeDefined()
    server.respondWith({ status: 503 })
    const cold = createUpstreams({ c: { baseUrl: 'https://c.example', oauth } })
    onTestFinished(() => cold.close())
    expect((await rejection(cold.warmUp())).message).toBe(
      'Upstream "c": the authorization server refused the token request',
    )
  })

  it('shares defaults, which an upstream may set aside', async () => {
    const api = await scripted()
    const upstreams = createUpstreams(
      {
        a: { baseUrl: api.url, oauth: fixedSource() },
        b: { baseUrl: api.url, oauth: fixedSource(), headers: { 'x-who': 'b' } },
      },
      { headers: { 'x-who': 'all' } },
    )
    onTestFinished(() => upstreams.close())
    await upstreams.a.fetch('/')
    await upstreams.b.fetch('/')
    expect(api.requests.map(({ headers }) => headers['x-who'])).toEqual(['all', 'b'])
  })

  it.each(['with', 'run', 'warmUp', 'health', 'close', 'then'])('refuses an upstream of the name %s', (name) => {
    expect(() => createUpstreams({ [name]: { baseUrl: 'https://a.example', oauth: fixedSource() } })).toThrow(
      new TypeError(`${name}: an upstream may not have the name of a member`),
    )
  })
})
