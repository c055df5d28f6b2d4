import { Readable } from 'node:stream'
import { createScriptedServer, tokenReply, type Reply, type ScriptedServer } from '@tokenwell/testing'
import { Agent, interceptors, request as undiciRequest } from 'undici'
import { describe, expect, it, onTestFinished } from 'vitest'
import { clientSecretBasic, createUpstream, type Upstream, type UpstreamOptions } from '../../src/index.ts'
import { rejection, tokenEndpoint } from '../support.ts'

interface World {
  readonly server: ScriptedServer
  readonly api: ScriptedServer
  readonly upstream: Upstream
}

/** An API that does as it is told, and afterwards answers 200 with what it got. */
async function world(replies: readonly Reply[], options: Partial<UpstreamOptions> = {}): Promise<World> {
  const server = await tokenEndpoint((_request, index) => tokenReply({ accessToken: `token-${index}` }))
  const api = await createScriptedServer((request, index) => {
    const reply = replies[index] ?? { body: { text: request.text } }
    return typeof reply === 'function' ? reply(request, index) : reply
  })
  const oauth = { tokenEndpoint: server.url, clientId: 'orders', clientAuth: clientSecretBasic('s') }
  const upstream = createUpstream({ name: 'billing', baseUrl: api.url, oauth, ...options })
  onTestFinished(async () => void (await Promise.all([upstream.close(), api.close()])))
  return { server, api, upstream }
}

const authorizations = (api: ScriptedServer) => api.requests.map(({ headers }) => headers.authorization)
const busy = { status: 503, body: { busy: true } }

describe('a call is sent again', () => {
  it.each<[string, Reply]>([
    ['a busy API', busy],
    ['429 with Retry-After', { status: 429, headers: { 'retry-after': '0' } }],
    ['502', { status: 502, body: 'x'.repeat(100_000) }],
    ['504', { status: 504 }],
    ['a connection that was reset', { reset: true }],
  ])('after %s, which the caller never sees', async (_name, reply) => {
    const { api, upstream } = await world([reply])
    const fetched = await upstream.fetch('/x')
    expect(fetched.status).toBe(200)
    expect(authorizations(api)).toEqual(['Bearer token-0', 'Bearer token-0'])
  })

  it('through request and dispatcher too', async () => {
    const { api, upstream } = await world([busy, { body: { first: true } }, busy])
    expect(await (await upstream.request('/x')).body.json()).toEqual({ first: true })
    const { dispatcher } = upstream
    expect((await undiciRequest(`${api.url}/x`, { dispatcher })).statusCode).toBe(200)
    expect(api.requests).toHaveLength(4)
  })

  it.each<[string, Exclude<RequestInit['body'], undefined>]>([
    ['text', 'grüße'],
    ['bytes', new Uint8Array([1, 2, 3])],
    ['a Blob', new Blob(['blob'])],
    ['none', null],
  ])('with its body, byte for byte: %s', async (_name, body) => {
    const { api, upstream } = await world([busy])
    expect((await upstream.fetch('/x', { method: 'PUT', body })).status).toBe(200)
    const [first, second] = api.requests
    expect(second?.body).toEqual(first?.body)
    expect(second?.headers['content-type']).toBe(first?.headers['content-type'])
  })

  it('with the token that is current by then', async () => {
    const { api, upstream } = await world([
      () => {
        const token = upstream.tokens.peek()
        if (token !== undefined) upstream.tokens.invalidate(token)
        return busy
      },
    ])
    expect((await upstream.request('/x')).statusCode).toBe(200)
    expect(authorizations(api)).toEqual(['Bearer token-0', 'Bearer token-1'])
  })

  it('with the Authorization header that the caller set', async () => {
    const { api, upstream } = await world([busy])
    await upstream.request('/x', { headers: { authorization: 'Bearer mine' } })
    expect(authorizations(api)).toEqual(['Bearer mine', 'Bearer mine'])
  })

  it('as often as asked for, after which the last response is given as it came', async () => {
    const { api, upstream } = await world([busy, busy, { status: 503, body: { last: true } }], {
      retry: { attempts: 3 },
    })
    const { statusCode, body } = await upstream.request('/x')
    expect([statusCode, await body.json(), api.requests.length]).toEqual([503, { last: true }, 3])
  })

  it('for the methods and statuses that were named', async () => {
    const { api, upstream } = await world([{ status: 500 }], { retry: { methods: ['post'], statusCodes: [500] } })
    expect((await upstream.request('/x', { method: 'POST', body: 'x' })).statusCode).toBe(200)
    expect(api.requests.map(({ text }) => text)).toEqual(['x', 'x'])
  })

  it('after the pause that Retry-After names', async () => {
    const at: number[] = []
    const note: Reply = () => {
      at.push(performance.now())
      return at.length === 1 ? { status: 503, headers: { 'retry-after': '1' } } : { body: {} }
    }
    const { upstream } = await world([note, note])
    expect((await upstream.request('/x')).statusCode).toBe(200)
    expect((at[1] ?? 0) - (at[0] ?? 0)).toBeGreaterThan(950)
  })

  it('and a token that is refused the second time is still replaced, three sendings in all', async () => {
    const refusal = { status: 401, headers: { 'www-authenticate': 'Bearer error="invalid_token"' } }
    const { api, upstream } = await world([busy, refusal])
    expect((await upstream.request('/x')).statusCode).toBe(200)
    expect(authorizations(api)).toEqual(['Bearer token-0', 'Bearer token-0', 'Bearer token-1'])
  })

  it('but never more than three times, whatever the API answers by turns', async () => {
    const refusal = { status: 401, headers: { 'www-authenticate': 'Bearer error="invalid_token"' } }
    const { api, upstream } = await world([refusal, busy, refusal, busy, refusal, busy])
    await upstream.request('/x')
    expect(api.requests).toHaveLength(3)
  })
})

describe('the response is given as it came', () => {
  it.each<[string, Reply, Parameters<Upstream['request']>[1], Partial<UpstreamOptions>]>([
    ['when retries are switched off', busy, {}, { retry: false }],
    ['for a method that may not be repeated', busy, { method: 'POST', body: 'x' }, {}],
    ['for a body that is a stream', busy, { method: 'PUT', body: Readable.from(['a', 'b']) }, {}],
    ['for another status', { status: 500, body: { busy: true } }, {}, {}],
    ['when the pause would outlast the deadline', { ...busy, headers: { 'retry-after': '60' } }, {}, {}],
  ])('%s', async (_name, reply, request, options) => {
    const { api, upstream } = await world([reply], options)
    const { statusCode, body } = await upstream.request('/x', request)
    expect([statusCode, await body.json()]).toEqual([(reply as { status: number }).status, { busy: true }])
    expect(api.requests).toHaveLength(1)
  })
})

describe('an error is told without another sending', () => {
  it('for a POST, which may have been acted on', async () => {
    const { api, upstream } = await world([{ reset: true }])
    expect(await rejection(upstream.request('/x', { method: 'POST', body: 'x' }))).toMatchObject({
      cause: { code: expect.stringMatching(/ECONNRESET|UND_ERR_SOCKET/) as string },
    })
    expect(api.requests).toHaveLength(1)
  })

  it('when the response breaks off half-way: the caller has begun to read it', async () => {
    const { api, upstream } = await world([{ body: 'abcdef', truncate: 3 }])
    const { body } = await upstream.request('/x')
    expect(await rejection(body.text())).toBeInstanceOf(Error)
    expect(api.requests).toHaveLength(1)
  })

  it('when no token can be had: the token request had its own retries', async () => {
    const { server, api, upstream } = await world([])
    server.respondWith({ status: 401, body: { error: 'invalid_client' } })
    expect(await rejection(upstream.request('/x'))).toMatchObject({ error: 'invalid_client' })
    expect([server.requests.length, api.requests.length]).toEqual([1, 0])
  })
})

it('a retry interceptor of the user inside of ours sends again what ours sent', async () => {
  const dispatcher = new Agent().compose(interceptors.retry({ maxRetries: 2, minTimeout: 1 }))
  const { api, upstream } = await world([busy, busy], { dispatcher })
  expect((await upstream.request('/x')).statusCode).toBe(200)
  expect(authorizations(api)).toEqual(['Bearer token-0', 'Bearer token-0', 'Bearer token-0'])
  await dispatcher.close()
})
