import { clientSecretBasic, TokenwellError } from '@tokenwell/core'
import { createManualClock, createScriptedServer, tokenReply, type Reply } from '@tokenwell/testing'
import { describe, expect, test, vi } from 'vitest'

import { callInvoices, ways } from '../requests.ts'
import type { BillingOptions } from '../servers.ts'
import { urlOf, type Suite } from '../service.ts'

const refusal = { status: 401, body: { error: 'invalid_client', error_description: 'zq words' } }

/** `url` is that of a server which answers with `reply`. */
interface Failure {
  readonly when: string
  readonly reply?: Reply
  readonly isClosed?: boolean
  readonly billing: (url: string) => BillingOptions
  readonly statusCode: number
}

// With zq in whatever its caller has no business with.
const oauthOf = (url: string) => ({
  issuer: `${url}/zq`,
  tokenEndpoint: `${url}/zq`,
  clientId: 'zq-client',
  clientAuth: clientSecretBasic('zq-secret'),
})
const asTokenEndpoint = (url: string) => ({ oauth: oauthOf(url) })
const asApi = (url: string) => ({ baseUrl: `${url}/zq` })
const failures: readonly Failure[] = [
  { when: 'the token endpoint resets connections', reply: { reset: true }, billing: asTokenEndpoint, statusCode: 503 },
  {
    when: 'nobody listens at the token endpoint',
    isClosed: true,
    billing: asTokenEndpoint,
    statusCode: 503,
  },
  { when: 'the authorization server refuses this client', reply: refusal, billing: asTokenEndpoint, statusCode: 502 },
  {
    when: 'the authorization server answers nonsense',
    reply: { body: '<zq>' },
    billing: asTokenEndpoint,
    statusCode: 502,
  },
  {
    when: 'there is no metadata',
    reply: { status: 404, body: 'zq' },
    billing: (url) => ({ oauth: { ...oauthOf(url), tokenEndpoint: undefined } }),
    statusCode: 502,
  },
  { when: 'the API resets connections', reply: { reset: true }, billing: asApi, statusCode: 503 },
  { when: 'nobody listens where the API is', isClosed: true, billing: asApi, statusCode: 503 },
  { when: 'the API has no such name', billing: () => asApi('https://zq.invalid'), statusCode: 503 },
  {
    when: 'the API does not speak TLS',
    billing: (url) => asApi(url.replace('http:', 'https:')),
    reply: { body: {} },
    statusCode: 502,
  },
  {
    when: 'the API does not answer in time',
    reply: { hang: true },
    billing: (url) => ({ ...asApi(url), timeoutMs: 200 }),
    statusCode: 504,
  },
]

export function errors(suite: Suite): void {
  const { start } = suite

  describe.each(failures)('when $when', ({ reply, isClosed = false, billing, statusCode }) => {
    test.each(ways)(`%s gives the error path an error, and the caller ${statusCode}`, async (_, handler) => {
      await using server = await createScriptedServer(reply)
      if (isClosed) await server.close()
      await using upstreams = suite.servers.createBilling({ ...billing(server.url), retry: false })
      const onError = vi.fn()
      await using service = await start({ upstreams, options: { warmUp: 'off' }, handler, onError })
      const response = await fetch(urlOf(service))
      expect(onError).toHaveBeenCalledOnce()
      expect(onError.mock.calls[0]?.[0]).toBeInstanceOf(TokenwellError)
      expect(onError.mock.calls[0]?.[0]).toMatchObject({ statusCode, upstream: 'billing' })
      expect(response.status).toBe(statusCode)
      const text = JSON.stringify([...response.headers]) + (await response.text())
      expect(text).not.toMatch(/zq|ECONN|ENOTFOUND|invalid_client|127\.0\.0\.1/)
      expect(text).not.toContain(new URL(server.url).host)
    })
  })

  describe('without a token', () => {
    test('requests fail until the authorization server has one again', async () => {
      const clock = createManualClock()
      await using tokenEndpoint = await createScriptedServer({ status: 401, body: { error: 'invalid_client' } })
      await using api = await createScriptedServer({ body: {} })
      const oauth = { tokenEndpoint: tokenEndpoint.url, clock }
      await using upstreams = suite.servers.createBilling({ baseUrl: api.url, oauth })
      await using service = await start({ upstreams, handler: callInvoices })
      expect((await fetch(urlOf(service))).ok).toBe(false)
      tokenEndpoint.respondWith(() => tokenReply())
      // Past whatever keeps a refused client from asking again at once.
      await clock.advance(120_000)
      expect((await fetch(urlOf(service))).ok).toBe(true)
    })

    test('the error knows when to try again, and what its request was spared', async () => {
      await using tokenEndpoint = await createScriptedServer({
        status: 429,
        headers: { 'retry-after': '50' },
        body: { error: 'slow_down' },
      })
      const oauth = { tokenEndpoint: tokenEndpoint.url }
      await using upstreams = suite.servers.createBilling({ oauth })
      const onError = vi.fn()
      await using service = await start({ upstreams, options: { warmUp: 'off' }, handler: callInvoices, onError })
      for (const fromCache of [false, true]) {
        const response = await fetch(urlOf(service))
        expect(response.status).toBe(503)
        expect(onError).toHaveBeenLastCalledWith(expect.objectContaining({ fromCache, retryAt: expect.any(Number) }))
        const error = onError.mock.lastCall?.[0] as TokenwellError | undefined
        expect(Number(error?.headers?.['retry-after'])).toBeGreaterThan(0)
      }
    })
  })

  // Some frameworks need a filter or the like for it. Not run is not skipped: the table shows who does it.
  if (!suite.sendsErrorHeaders) return
  test('the caller is told when to try again', async () => {
    await using tokenEndpoint = await createScriptedServer({ status: 503, headers: { 'retry-after': '50' } })
    await using upstreams = suite.servers.createBilling({ oauth: { tokenEndpoint: tokenEndpoint.url } })
    await using service = await start({ upstreams, options: { warmUp: 'off' }, handler: callInvoices })
    const response = await fetch(urlOf(service))
    expect(response.status).toBe(503)
    expect(Number(response.headers.get('retry-after'))).toSatisfy((seconds: number) => seconds > 0 && seconds <= 50)
  })
}
