import { getEventListeners } from 'node:events'
import { performance } from 'node:perf_hooks'
import { tokenReply, type Reply } from '@tokenwell/testing'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createUpstreams, UpstreamTimeoutError, type Upstream, type UpstreamOptions } from '../../src/index.ts'
import { rejection } from '../support.ts'
import { createRealm, scripted, fixedSource } from './support.ts'

const ways: readonly (readonly [string, (upstream: Upstream, url: string) => Promise<unknown>])[] = [
  ['fetch', (upstream) => upstream.fetch('/x')],
  ['request', (upstream) => upstream.request('/x')],
  ['dispatcher', (upstream, url) => upstream.dispatcher.request({ origin: url, path: '/x', method: 'GET' })],
]

async function world(reply: Reply, options: Partial<UpstreamOptions> = {}) {
  const api = await scripted(reply)
  const upstreams = createUpstreams({ billing: { baseUrl: api.url, oauth: fixedSource(), ...options } })
  onTestFinished(() => upstreams.close())
  return { api, upstreams }
}

const soon = (ms: number) => ({ deadline: Date.now() + ms })

describe('the deadline of a context', () => {
  it.each(ways)('ends a call that has no response by then: %s', async (_name, call) => {
    const { api, upstreams } = await world({ hang: true })
    const began = performance.now()
    const error = await rejection(call(upstreams.with(soon(80)).billing, api.url))
    expect(error).toBeInstanceOf(UpstreamTimeoutError)
    expect(error).toMatchObject({
      statusCode: 504,
      message: 'Upstream "billing": the API did not answer in time',
      cause: { message: 'the deadline of its context has passed' },
    })
    expect(performance.now() - began).toBeLessThan(5000)
    await expect.poll(() => api.openConnectionCount).toBe(0)
  })

  it.each(ways)('that has passed lets nothing be sent: %s', async (_name, call) => {
    const { api, upstreams } = await world({ body: {} })
    expect(await rejection(call(upstreams.with(soon(-1)).billing, api.url))).toBeInstanceOf(UpstreamTimeoutError)
    expect(api.connectionCount).toBe(0)
  })

  it.each(ways)('that has passed does not hide that the call was given up: %s', async (_name, call) => {
    const { api, upstreams } = await world({ body: {} })
    const reason = new Error('given up')
    const { billing } = upstreams.with({ ...soon(-1), signal: AbortSignal.abort(reason) })
    expect(await rejection(call(billing, api.url))).toBe(reason)
  })

  it('ends a change as well: whoever asked for it waits no longer', async () => {
    const { upstreams } = await world({ hang: true })
    const { signal } = new AbortController()
    const { billing } = upstreams.with({ ...soon(50), signal, signalAborts: 'safe-methods' })
    const error = await rejection(billing.request('/x', { method: 'POST', body: 'x' }))
    expect(error).toBeInstanceOf(UpstreamTimeoutError)
    expect(getEventListeners(signal, 'abort')).toHaveLength(0)
  })

  it('ends a response that is being read', async () => {
    const { api, upstreams } = await world({ endless: true })
    const { body } = await upstreams.with(soon(200)).billing.request('/x')
    expect(await rejection(body.text())).toBeInstanceOf(UpstreamTimeoutError)
    await expect.poll(() => api.openConnectionCount).toBe(0)
  })

  it('ends the wait for a token, not the token request that others wait for', async () => {
    const release = Promise.withResolvers<void>()
    const realm = await createRealm()
    realm.server.respondWith(async () => {
      await release.promise
      return tokenReply()
    })
    const upstreams = createUpstreams({ billing: { baseUrl: realm.api.url, oauth: realm.oauth } })
    onTestFinished(() => upstreams.close())
    const other = upstreams.billing.request('/x')
    expect(await rejection(upstreams.with(soon(50)).billing.request('/x'))).toBeInstanceOf(UpstreamTimeoutError)
    release.resolve()
    expect((await other).statusCode).toBe(200)
    expect(realm.server.requests).toHaveLength(1)
  })

  it("does not lengthen the upstream's own time", async () => {
    const { upstreams } = await world({ hang: true }, { timeoutMs: 50 })
    expect(await rejection(upstreams.with(soon(60_000)).billing.request('/x'))).toMatchObject({
      cause: { message: 'no response headers after 50 ms (timeoutMs)' },
    })
  })

  it('has a response given rather than wait for a better one beyond it', async () => {
    const { api, upstreams } = await world({ status: 503, headers: { 'retry-after': '5' }, body: { busy: true } })
    expect((await upstreams.with(soon(2000)).billing.request('/x')).statusCode).toBe(503)
    expect(api.requests).toHaveLength(1)
  })

  it('leaves no timer after the call', async () => {
    const { upstreams } = await world({ body: {} })
    const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length
    const { billing } = upstreams.with(soon(60_000))
    await (await billing.request('/x')).body.dump()
    const before = timers()
    for (let calls = 0; calls < 10; calls++) await (await billing.request('/x')).body.dump()
    expect(timers()).toBeLessThanOrEqual(before)
  })

  it.each([Infinity, Number.MAX_SAFE_INTEGER, Number.NaN, undefined])('of %d is none', async (deadline) => {
    const { upstreams } = await world({ body: {} })
    expect((await upstreams.with({ deadline }).billing.request('/x')).statusCode).toBe(200)
  })

  it('is that of whoever waits least, in whatever order contexts are put on each other', async () => {
    const { upstreams } = await world({ hang: true })
    const calls = [
      upstreams.with(soon(50), soon(60_000)).billing.request('/1'),
      upstreams.with(soon(60_000), soon(50)).billing.request('/2'),
      upstreams.run(soon(50), () => upstreams.billing.with(soon(60_000)).request('/3')),
      upstreams.run(soon(50), () => upstreams.with({ deadline: Number.NaN }).billing.request('/4')),
    ]
    for (const error of await Promise.all(calls.map((call) => rejection(call)))) {
      expect(error).toBeInstanceOf(UpstreamTimeoutError)
    }
  })

  it.each(['1735689600000', new Date(), null])('that is no number is refused: %o', async (deadline) => {
    const { upstreams } = await world({ body: {} })
    expect(() => upstreams.with({ deadline: deadline as never })).toThrow(
      new TypeError('context.deadline: expected milliseconds since the epoch'),
    )
  })
})
