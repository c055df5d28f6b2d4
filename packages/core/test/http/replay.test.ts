import { AsyncLocalStorage } from 'node:async_hooks'
import { Readable } from 'node:stream'
import { setTimeout } from 'node:timers/promises'
import {
  createScriptedServer,
  tokenReply,
  type RecordedRequest,
  type Reply,
  type ScriptedServer,
} from '@tokenwell/testing'
import { Agent, request as undiciRequest } from 'undici'
import { describe, expect, it, onTestFinished } from 'vitest'
import {
  authorize,
  clientCredentials,
  clientSecretBasic,
  createTokenSource,
  createUpstreams,
  type TokenSource,
  type Upstreams,
  type UpstreamOptions,
} from '../../src/index.ts'
import { RefusalGuard } from '../../src/http/refusal-guard.ts'
import { createAccessToken } from '../../src/index.ts'
import { rejection, tokenEndpoint } from '../support.ts'

const refusal = {
  status: 401,
  headers: { 'www-authenticate': 'Bearer error="invalid_token"' },
  body: { refused: true },
}
const tokenOf = ({ headers }: RecordedRequest) => headers.authorization?.replace('Bearer ', '') ?? ''

interface World {
  readonly server: ScriptedServer
  readonly api: ScriptedServer
  readonly upstreams: Upstreams<'billing'>
  /** Tokens that the API refuses, from now on. */
  readonly revoked: Set<string>
}

/** An API that refuses revoked tokens, and a server that issues `token-0`, `token-1` and so on. */
async function world(options: Partial<UpstreamOptions> = {}, refuse: Reply = refusal): Promise<World> {
  const revoked = new Set<string>()
  const server = await tokenEndpoint((_request, index) => tokenReply({ accessToken: `token-${index}` }))
  const api = await createScriptedServer(async (request, index) => {
    if (!revoked.has(tokenOf(request))) return { body: { token: tokenOf(request), text: request.text } }
    return typeof refuse === 'function' ? refuse(request, index) : refuse
  })
  const upstreams = createUpstreams({
    billing: {
      baseUrl: api.url,
      oauth: { tokenEndpoint: server.url, clientId: 'orders', clientAuth: clientSecretBasic('s') },
      ...options,
    },
  })
  onTestFinished(async () => void (await Promise.all([upstreams.close(), api.close()])))
  return { server, api, upstreams, revoked }
}

const entryPoints: Record<
  string,
  (world: World, init?: { method: string; body: string }) => Promise<[number, unknown]>
> = {
  fetch: async ({ upstreams }, init) => {
    const response = await upstreams.billing.fetch('/x', init)
    return [response.status, await response.json()]
  },
  request: async ({ upstreams }, init) => {
    const { statusCode, body } = await upstreams.billing.request('/x', init)
    return [statusCode, await body.json()]
  },
  dispatcher: async ({ upstreams, api }, init) => {
    const { statusCode, body } = await undiciRequest(`${api.url}/x`, {
      ...init,
      dispatcher: upstreams.billing.dispatcher,
    })
    return [statusCode, await body.json()]
  },
}

describe.each(Object.entries(entryPoints))('a token that the API refuses, through %s', (_entry, call) => {
  it('is replaced, and the call sent again, which its caller never sees', async () => {
    const here = await world()
    expect(await call(here)).toEqual([200, { token: 'token-0', text: '' }])
    here.revoked.add('token-0')
    expect(await call(here)).toEqual([200, { token: 'token-1', text: '' }])
    expect(await call(here)).toEqual([200, { token: 'token-1', text: '' }])
    expect(here.server.requests).toHaveLength(2)
    expect(here.api.requests).toHaveLength(4)
  })

  it('with a body that is sent again byte for byte', async () => {
    const here = await world()
    here.revoked.add('token-0')
    const init = { method: 'POST', body: '{"ö":"🔑"}' }
    expect(await call(here, init)).toEqual([200, { token: 'token-1', text: '{"ö":"🔑"}' }])
    const [first, second] = here.api.requests
    expect(second?.body).toEqual(first?.body)
    expect(second?.headers).toEqual({ ...first?.headers, authorization: 'Bearer token-1' })
  })

  it('gives the 401 as it came when no other token can be had', async () => {
    const here = await world()
    await call(here)
    here.revoked.add('token-0')
    here.server.respondWith({ status: 400, body: { error: 'invalid_client' } })
    expect(await call(here)).toEqual([401, { refused: true }])
    expect(here.api.requests).toHaveLength(2)
  })

  it('is replaced once: a second refusal is given as it came', async () => {
    const here = await world()
    for (let index = 0; index < 10; index++) here.revoked.add(`token-${index}`)
    expect(await call(here)).toEqual([401, { refused: true }])
    expect(here.api.requests).toHaveLength(2)
    expect(here.server.requests).toHaveLength(2)
  })

  // regressions S12, J53
  it.each([
    [401, 'Bearer error="insufficient_scope", scope="a"'],
    [403, 'Bearer error="insufficient_scope", scope="a"'],
    [403, 'Bearer error="invalid_token"'],
    [500, 'Bearer error="invalid_token"'],
  ])('a %i with %s is not a refused token: nothing is replaced or sent again', async (status, challenge) => {
    const here = await world({}, { status, headers: { 'www-authenticate': challenge }, body: {} })
    await call(here)
    here.revoked.add('token-0')
    expect(await call(here)).toEqual([status, {}])
    expect(here.api.requests).toHaveLength(2)
    expect(here.upstreams.billing.tokens.peek()?.value).toBe('token-0')
  })
})

// regressions S11, J54
it('an API that refuses every token does not cause a token request for every call', async () => {
  const here = await world()
  for (let index = 0; index < 50; index++) here.revoked.add(`token-${index}`)
  const statuses = []
  for (let calls = 0; calls < 10; calls++) statuses.push((await here.upstreams.billing.request('/')).statusCode)
  expect(new Set(statuses)).toEqual(new Set([401]))
  expect(here.server.requests).toHaveLength(2)
  expect(here.api.requests).toHaveLength(11)
})

// regressions S10, J21
it('a hundred calls refused at about the same time cause one token request, and all go well', async () => {
  const here = await world({}, async (request, index) => {
    await setTimeout((index % 10) * 5)
    return refusal
  })
  await here.upstreams.billing.request('/')
  here.revoked.add('token-0')
  const calls = Array.from({ length: 100 }, async () => {
    const { statusCode, body } = await here.upstreams.billing.request('/')
    await body.dump()
    return statusCode
  })
  expect(new Set(await Promise.all(calls))).toEqual(new Set([200]))
  expect(here.server.requests).toHaveLength(2)
})

describe('bodies of fetch', () => {
  const bodies: Record<string, () => NonNullable<RequestInit['body']>> = {
    text: () => 'text',
    bytes: () => new Uint8Array([0, 1, 2, 255]),
    'an ArrayBuffer': () => new Uint8Array([1, 2, 3]).buffer,
    'a view on a part of one': () => new Uint8Array([9, 1, 2, 9]).subarray(1, 3),
    URLSearchParams: () => new URLSearchParams({ a: 'ö b' }),
    'a Blob': () => new Blob(['blob'], { type: 'text/css' }),
    'a File': () => new File(['file'], 'name.txt', { type: 'text/plain' }),
    FormData: () => {
      const form = new FormData()
      form.set('a', '1')
      form.set('f', new File(['content'], 'name.txt', { type: 'text/plain' }))
      return form
    },
  }
  it.each(Object.entries(bodies))('%s is sent again byte for byte, with the same headers', async (_name, make) => {
    const here = await world()
    here.revoked.add('token-0')
    const response = await here.upstreams.billing.fetch('/', { method: 'POST', body: make() })
    expect(response.status).toBe(200)
    const [first, second] = here.api.requests
    expect(second?.body).toEqual(first?.body)
    expect(second?.body.length).toBeGreaterThan(0)
    expect(second?.headers).toEqual({ ...first?.headers, authorization: 'Bearer token-1' })
  })

  it.each(Object.entries(bodies))('%s is sent as fetch of this Node sends it', async (_name, make) => {
    const here = await world()
    await here.upstreams.billing.fetch('/', { method: 'POST', body: make() })
    await fetch(here.api.url, { method: 'POST', body: make() })
    const [ours, theirs] = here.api.requests
    // Older Node.js ends a form without a line end.
    const withoutBoundary = (text = '') => text.replaceAll(/-+formdata-undici-\d+/g, 'boundary').trimEnd()
    expect(withoutBoundary(ours?.headers['content-type'])).toBe(withoutBoundary(theirs?.headers['content-type']))
    expect(withoutBoundary(ours?.text)).toBe(withoutBoundary(theirs?.text))
    expect(ours?.headers['transfer-encoding']).toBe(theirs?.headers['transfer-encoding'])
  })

  // regressions S39, J53
  it.each([
    ['a ReadableStream', () => new Blob(['stream']).stream()],
    [
      'an async iterator',
      () =>
        (async function* () {
          yield Buffer.from('chunk')
        })(),
    ],
  ])('%s is never sent again: its caller gets the 401', async (_name, make) => {
    const here = await world()
    here.revoked.add('token-0')
    const response = await here.upstreams.billing.fetch('/', {
      method: 'POST',
      body: make() as never,
      duplex: 'half',
    })
    expect([response.status, await response.json()]).toEqual([401, { refused: true }])
    expect(here.api.requests).toHaveLength(1)
  })
})

it('a 407 is not a refused token', async () => {
  const here = await world({}, { status: 407, headers: { 'www-authenticate': 'Bearer error="invalid_token"' } })
  here.revoked.add('token-0')
  expect((await here.upstreams.billing.request('/')).statusCode).toBe(407)
  expect(here.api.requests).toHaveLength(1)
})

describe('bodies of request', () => {
  it('a stream is never sent again', async () => {
    const here = await world()
    here.revoked.add('token-0')
    const { statusCode } = await here.upstreams.billing.request('/', { method: 'POST', body: Readable.from(['a']) })
    expect(statusCode).toBe(401)
    expect(here.api.requests).toHaveLength(1)
  })

  it('a function gives the body anew for each time that it is sent', async () => {
    const here = await world()
    here.revoked.add('token-0')
    let made = 0
    const body = () => {
      made += 1
      return Readable.from(['streamed'])
    }
    const response = await here.upstreams.billing.request('/', { method: 'POST', body })
    expect([response.statusCode, await response.body.json()]).toEqual([200, { token: 'token-1', text: 'streamed' }])
    expect(made).toBe(2)
  })
})

describe('the option replay', () => {
  it.each([
    ['replayable', 'POST', 200],
    ['replayable', 'GET', 200],
    ['safe-methods', 'GET', 200],
    ['safe-methods', 'POST', 401],
    ['never', 'GET', 401],
    ['never', 'POST', 401],
  ] as const)("'%s': a refused %s ends with %i", async (replay, method, status) => {
    const here = await world({ replay })
    here.revoked.add('token-0')
    expect((await here.upstreams.billing.request('/', { method })).statusCode).toBe(status)
    here.upstreams.billing.tokens.invalidate(await here.upstreams.billing.tokens.get())
  })
})

describe('a hostile refusal', () => {
  it.each<[string, Reply]>([
    ['with an endless body', { endless: true, status: 401 }],
    [
      'with 64 KiB of challenges',
      { status: 401, headers: { 'www-authenticate': `Bearer ${'x="y", '.repeat(1500)}` }, body: 'b' },
    ],
    ['with an unterminated quote', { status: 401, headers: { 'www-authenticate': 'Bearer error="invalid_token' } }],
    ['with a body of a megabyte', { status: 401, body: 'x'.repeat(1024 * 1024) }],
  ])('%s is dropped, and no connection stays behind', async (_name, refuse) => {
    const here = await world({}, refuse)
    here.revoked.add('token-0')
    const { statusCode, body } = await here.upstreams.billing.request('/')
    expect(statusCode).toBe(200)
    await body.dump()
    await here.upstreams.close()
    await expect.poll(() => here.api.openConnectionCount).toBe(0)
  })

  it("with an endless body, for which no other token can be had, is the caller's to read", async () => {
    const here = await world({}, { endless: true, status: 401 })
    await here.upstreams.billing.tokens.get()
    here.revoked.add('token-0')
    here.server.respondWith({ status: 400, body: { error: 'invalid_client' } })
    const { statusCode, body } = await here.upstreams.billing.request('/')
    expect(statusCode).toBe(401)
    for await (const chunk of body) {
      expect((chunk as Buffer).length).toBeGreaterThan(0)
      break
    }
  })
})

describe('while another token is on its way', () => {
  it.each(['fetch', 'request'] as const)('a caller that gives up is answered at once, through %s', async (entry) => {
    const here = await world()
    await here.upstreams.billing.tokens.get()
    here.revoked.add('token-0')
    here.server.respondWith({ hang: true })
    const controller = new AbortController()
    const waiting = rejection<unknown>(
      here.upstreams.billing[entry]('/', { signal: controller.signal }) as Promise<unknown>,
    )
    await expect.poll(() => here.server.requests.length).toBe(2)
    const reason = new Error('gave up')
    controller.abort(reason)
    expect(await waiting).toBe(reason)
    expect(here.api.requests).toHaveLength(1)
  })

  // regressions S2, S33: a refusal comes in the connection's asynchronous context, which is some other call's.
  it('it is that of the call, not of whoever opened the connection', async () => {
    const server = await tokenEndpoint(({ form }, index) =>
      tokenReply({ accessToken: `${form.get('tenant')}-${index}` }),
    )
    const revoked = new Set<string>()
    const api = await createScriptedServer((request) =>
      revoked.has(tokenOf(request)) ? refusal : { body: { token: tokenOf(request) } },
    )
    const upstreams = createUpstreams({
      billing: {
        baseUrl: api.url,
        dispatcher: new Agent({ connections: 1 }),
        oauth: {
          tokenEndpoint: server.url,
          clientId: 'orders',
          clientAuth: clientSecretBasic('s'),
          grant: clientCredentials({ parameters: ({ tenant }) => ({ tenant: tenant ?? 'none' }) }),
        },
      },
    })
    onTestFinished(async () => void (await Promise.all([upstreams.close(), api.close()])))
    const other = new AsyncLocalStorage<string>()
    const callAs = (tenant: string) =>
      other.run(tenant, () =>
        upstreams.run({ tenant }, async () => (await (await upstreams.billing.fetch('/')).json()) as { token: string }),
      )
    const first = await callAs('a')
    const second = await callAs('b')
    revoked.add(first.token)
    revoked.add(second.token)
    const again = await Promise.all([callAs('a'), callAs('b'), callAs('a'), callAs('b')])
    expect(again.map(({ token }) => token[0])).toEqual(['a', 'b', 'a', 'b'])
    expect(server.requests).toHaveLength(4)
  })
})

it('a source that cannot replace its token is not asked in a circle', async () => {
  const api = await createScriptedServer(refusal)
  const token = createAccessToken({
    value: 'fixed',
    tokenType: 'Bearer',
    expiresAt: Date.now() + 60_000,
    generation: 'g',
  })
  const source: Pick<TokenSource, 'peek' | 'get' | 'invalidate'> = {
    peek: () => token,
    get: async () => token,
    invalidate: () => false,
  }
  const agent = new Agent()
  onTestFinished(async () => void (await Promise.all([agent.destroy(), api.close()])))
  const { statusCode } = await undiciRequest(api.url, {
    dispatcher: agent.compose(authorize({ source, origins: [api.url] })),
  })
  expect(statusCode).toBe(401)
  expect(api.requests).toHaveLength(1)
})

it('a token that another process of ours has renewed already is used without a token request', async () => {
  const server = await tokenEndpoint()
  const api = await createScriptedServer((request, index) => (index === 0 ? refusal : { body: tokenOf(request) }))
  const source = createTokenSource({
    tokenEndpoint: server.url,
    clientId: 'orders',
    clientAuth: clientSecretBasic('s'),
  })
  const agent = new Agent()
  onTestFinished(async () => void (await Promise.all([source.close(), agent.destroy(), api.close()])))
  const old = await source.get()
  const current = await source.get({ forceRenewal: true })
  const late: Pick<TokenSource, 'peek' | 'get' | 'invalidate'> = {
    peek: () => old,
    get: (options) => source.get(options),
    invalidate: (token) => source.invalidate(token),
  }
  const dispatcher = agent.compose(authorize({ source: late, origins: [api.url] }))
  const { body } = await undiciRequest(api.url, { dispatcher })
  expect(await body.text()).toBe(current.value)
  expect(server.requests).toHaveLength(2)
})

describe('the guard against an API that refuses everything', () => {
  const token = () => createAccessToken({ value: 'v', tokenType: 'Bearer', expiresAt: 0, generation: 'g' })

  it('lets a replacement be replaced after 10, 20, 40 and 60 seconds, and at once after it was accepted', () => {
    let now = 0
    const guard = new RefusalGuard(() => now)
    let refused = token()
    expect(guard.allows(refused)).toBe(true)
    for (const pauseMs of [10_000, 20_000, 40_000, 60_000, 60_000]) {
      const next = token()
      guard.replaced(refused, next)
      now += pauseMs - 1
      expect(guard.allows(next)).toBe(false)
      now += 1
      expect(guard.allows(next)).toBe(true)
      refused = next
    }
    const last = token()
    guard.replaced(refused, last)
    guard.accepted(last)
    expect(guard.allows(last)).toBe(true)
  })
})
