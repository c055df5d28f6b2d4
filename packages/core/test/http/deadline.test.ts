import { getEventListeners } from 'node:events'
import { setTimeout } from 'node:timers/promises'
import { createScriptedServer, tokenReply, type Reply, type ScriptedServer } from '@tokenwell/testing'
import { interceptors, MockAgent } from 'undici'
import { describe, expect, it, onTestFinished } from 'vitest'
import {
  clientSecretBasic,
  createUpstream,
  UpstreamTimeoutError,
  type Upstream,
  type UpstreamOptions,
} from '../../src/index.ts'
import { rejection, tokenEndpoint } from '../support.ts'

interface World {
  readonly server: ScriptedServer
  readonly api: ScriptedServer
  readonly upstream: Upstream
}

async function world(reply: Reply, options: Partial<UpstreamOptions> = {}, token?: Reply): Promise<World> {
  const server = await tokenEndpoint(token ?? ((_request, index) => tokenReply({ accessToken: `token-${index}` })))
  const api = await createScriptedServer(reply)
  const oauth = { tokenEndpoint: server.url, clientId: 'orders', clientAuth: clientSecretBasic('s') }
  const upstream = createUpstream({ name: 'billing', baseUrl: api.url, oauth, timeoutMs: 600, ...options })
  onTestFinished(async () => void (await Promise.all([upstream.close(), api.close()])))
  return { server, api, upstream }
}

const ways: readonly (readonly [string, (upstream: Upstream, api: ScriptedServer) => Promise<unknown>])[] = [
  ['fetch', (upstream) => upstream.fetch('/x')],
  ['request', (upstream) => upstream.request('/x')],
  ['dispatcher', (upstream, api) => upstream.dispatcher.request({ origin: api.url, path: '/x', method: 'GET' })],
]
const refusal = { status: 401, headers: { 'www-authenticate': 'Bearer error="invalid_token"' }, body: {} }

// regressions S40
describe('a call that has no response in time fails with an error that says so', () => {
  describe.each(ways)('%s', (_name, call) => {
    it('when the API does not answer', async () => {
      const { api, upstream } = await world({ hang: true })
      const error = await rejection(call(upstream, api))
      expect(error).toBeInstanceOf(UpstreamTimeoutError)
      expect(error).toMatchObject({
        code: 'ERR_TOKENWELL_TIMEOUT',
        statusCode: 504,
        message: 'Upstream "billing": the API did not answer in time',
        cause: { message: 'no response headers after 600 ms (timeoutMs)' },
      })
      await expect.poll(() => api.openConnectionCount).toBe(0)
    })

    it('when the token does not come, of which others may still have the use', async () => {
      const release = Promise.withResolvers<void>()
      const { server, api, upstream } = await world({ body: {} }, {}, async () => {
        await release.promise
        return tokenReply({ accessToken: 'late' })
      })
      expect(await rejection(call(upstream, api))).toBeInstanceOf(UpstreamTimeoutError)
      release.resolve()
      await expect.poll(() => upstream.tokens.peek()?.value).toBe('late')
      expect([server.requests.length, api.requests.length]).toEqual([1, 0])
    })

    it('when another token does not come after a refused one', async () => {
      const { api, upstream } = await world(refusal, {}, (_request, index) =>
        index === 0 ? tokenReply() : { hang: true },
      )
      expect(await rejection(call(upstream, api))).toBeInstanceOf(UpstreamTimeoutError)
      expect(api.requests).toHaveLength(1)
    })

    it('when the second sending after a refused token is not answered', async () => {
      const { api, upstream } = await world((_request, index) => (index === 0 ? refusal : { hang: true }))
      expect(await rejection(call(upstream, api))).toBeInstanceOf(UpstreamTimeoutError)
      expect(api.requests).toHaveLength(2)
      await expect.poll(() => api.openConnectionCount).toBeLessThanOrEqual(1)
    })
  })

  it('of its own: calls that began later have their whole time', async () => {
    const replies = [{ hang: true }, { delayMs: 800, body: {} }] as const
    const { upstream } = await world((_request, index) => replies[index] ?? { body: {} }, { timeoutMs: 1000 })
    const first = rejection(upstream.request('/1'))
    await setTimeout(600)
    const second = upstream.request('/2')
    expect(await first).toBeInstanceOf(UpstreamTimeoutError)
    expect((await second).statusCode).toBe(200)
  })

  it('however many there are, each by the same rule', async () => {
    const { api, upstream } = await world(({ path }) => (path === '/hang' ? { hang: true } : { body: {} }))
    const calls = Array.from({ length: 60 }, (_, index) => upstream.request(index % 3 === 0 ? '/hang' : '/ok'))
    const results = await Promise.allSettled(calls)
    expect(results.map(({ status }) => status)).toEqual(
      results.map((_, index) => (index % 3 === 0 ? 'rejected' : 'fulfilled')),
    )
    expect(api.requests).toHaveLength(60)
  })

  it('over a dispatcher that was given, which lives on', async () => {
    const agent = new MockAgent()
    agent.disableNetConnect()
    onTestFinished(() => agent.close())
    agent.get('https://api.example').intercept({ path: '/x' }).reply(200, {}).delay(5000)
    agent.get('https://api.example').intercept({ path: '/y' }).reply(200, {})
    const { upstream } = await world({}, { baseUrl: 'https://api.example', dispatcher: agent })
    expect(await rejection(upstream.request('/x'))).toBeInstanceOf(UpstreamTimeoutError)
    expect((await upstream.request('/y')).statusCode).toBe(200)
  })
})

describe('the deadline ends with the response headers', () => {
  it('a body may take longer', async () => {
    const { upstream } = await world({ body: 'abcd', slowBody: { chunk: 1, everyMs: 300 } })
    const { body } = await upstream.request('/x')
    expect(await body.text()).toBe('abcd')
  })
})

describe('an abort by the caller', () => {
  it.each(ways.slice(0, 2))('is obeyed at once while another token is awaited: %s', async (name) => {
    const asked = Promise.withResolvers<void>()
    const { upstream } = await world(refusal, { timeoutMs: 20_000 }, (_request, index) => {
      if (index === 0) return tokenReply()
      asked.resolve()
      return { hang: true }
    })
    const controller = new AbortController()
    const call = name === 'fetch' ? upstream.fetch : upstream.request
    const failed = rejection<unknown>(call('/x', { signal: controller.signal }))
    await asked.promise
    const reason = new Error('enough')
    controller.abort(reason)
    expect(await failed).toBe(reason)
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0)
  })

  it('is obeyed at once in the pause before another attempt', async () => {
    const { api, upstream } = await world(
      { status: 503, headers: { 'retry-after': '9' } },
      { timeoutMs: 20_000, retry: { attempts: 3 } },
    )
    const controller = new AbortController()
    const failed = rejection(upstream.request('/x', { signal: controller.signal }))
    await expect.poll(() => api.requests.length).toBe(1)
    await setTimeout(20)
    const reason = new Error('enough')
    controller.abort(reason)
    expect(await failed).toBe(reason)
    expect(api.requests).toHaveLength(1)
  })
})

it('undici interceptors of the caller see one error', async () => {
  const { api, upstream } = await world({ hang: true })
  const dispatcher = upstream.dispatcher.compose(interceptors.retry({ maxRetries: 0 }))
  const error = await rejection(dispatcher.request({ origin: api.url, path: '/', method: 'GET' }))
  expect(error).toBeInstanceOf(UpstreamTimeoutError)
})

it('closing ends calls that wait for a token, for headers and for a body, whoever owns the dispatcher', async () => {
  const { api, upstream } = await world(({ path }) => (path === '/body' ? { endless: true } : { hang: true }), {
    timeoutMs: 20_000,
  })
  const waiting = rejection(upstream.request('/headers'))
  const { body } = await upstream.request('/body')
  const reading = rejection(body.text())
  await expect.poll(() => api.requests.length).toBe(2)
  await upstream.close()
  expect(await waiting).toMatchObject({ code: 'ERR_TOKENWELL_CLOSED' })
  expect(await reading).toMatchObject({ code: 'ERR_TOKENWELL_CLOSED' })
})
