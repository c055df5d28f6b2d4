import { describe, expect, test, vi } from 'vitest'

import { ask, callInvoices, sendLines, ways, type Seen } from '../requests.ts'
import type { Suite } from '../service.ts'

// Node.js refuses what RFC 9112 does, before any framework hears of it.
const refused: readonly (readonly [string, string, number])[] = [
  ['a line that is folded (obs-fold)', 'x-request-id: a\r\n x-injected: b', 400],
  ['a line break without CR', 'x-request-id: a\nx-injected: b', 400],
  ['a CR alone', 'x-request-id: a\rx-injected: b', 400],
  ['a NUL', 'baggage: a\0b', 400],
  ['a control character', 'tracestate: a\u0001b', 400],
  ['a DEL', 'traceparent: a\u007Fb', 400],
  ['a space before the colon', 'x-request-id : a', 400],
  ['16 KiB of it', `baggage: ${'x'.repeat(16_384)}`, 431],
]

const passed: readonly (readonly [string, string, Readonly<Record<string, string>>])[] = [
  ['a traceparent that is none', 'traceparent: nonsense', { traceparent: 'nonsense' }],
  ['several of it', 'x-request-id: a\r\nx-request-id: b', { 'x-request-id': 'a, b' }],
  ['several traceparents', 'traceparent: a\r\ntraceparent: b', { traceparent: 'a, b' }],
  ['nothing in it', 'baggage:', { baggage: '' }],
  ['a tab in it', 'baggage: a\tb', { baggage: 'a\tb' }],
  ['Latin-1', 'baggage: caf\u00E9', { baggage: 'caf\u00E9' }],
  ['the bytes of UTF-8', 'baggage: \u00E2\u0082\u00AC', { baggage: '\u00E2\u0082\u00AC' }],
  ['what looks like another line', 'baggage: a\\r\\nx-injected: b', { baggage: 'a\\r\\nx-injected: b' }],
  ['8 KiB of it', `baggage: ${'x'.repeat(8192)}`, { baggage: 'x'.repeat(8192) }],
]

export function badInput(suite: Suite): void {
  const { start } = suite

  describe('an inbound header', () => {
    test.each(refused)('with %s is refused, and the next request is served', async (_, lines, status) => {
      await using upstreams = suite.servers.createBilling()
      const handler = vi.fn(callInvoices)
      await using service = await start({ upstreams, handler })
      expect(await sendLines(service, lines)).toHaveProperty('status', status)
      expect(handler).not.toHaveBeenCalled()
      expect((await ask(service)).headers).not.toHaveProperty('x-injected')
    })

    test.each(passed)('with %s goes on as it is, by fetch and by request', async (_, lines, expected) => {
      await using upstreams = suite.servers.createBilling()
      await using service = await start({
        upstreams,
        handler: (billing) => Promise.all(ways.map(([, way]) => way(billing))),
      })
      const { status, body } = await sendLines(service, lines)
      expect(status).toBe(200)
      const seen = JSON.parse(body) as Seen[]
      expect(seen).toHaveLength(ways.length)
      for (const { clientId, headers } of seen) {
        expect(clientId).toBe(suite.servers.authorizationServer.clients.basic.clientId)
        expect(headers).toMatchObject(expected)
        expect(headers).not.toHaveProperty('x-injected')
      }
    })

    test('that only just comes in is too much for the API, and its answer is a response', async () => {
      await using upstreams = suite.servers.createBilling()
      const handler = async (billing: Parameters<typeof callInvoices>[0]) => {
        const { statusCode, body } = await billing.request('/invoices/42')
        await body.dump()
        return { statusCode }
      }
      await using service = await start({ upstreams, handler })
      const { status, body } = await sendLines(service, `baggage: ${'x'.repeat(16_100)}`)
      expect([status, body]).toEqual([200, '{"statusCode":431}'])
      expect(await sendLines(service, 'baggage: x')).toMatchObject({ status: 200, body: '{"statusCode":200}' })
    })

    test('with a credential does not go on, however many there are', async () => {
      await using upstreams = suite.servers.createBilling()
      await using service = await start({ upstreams, handler: callInvoices })
      const credentials = [
        'Authorization: Bearer zq-1',
        'authorization: Basic zq-2',
        'Cookie: a=zq-3',
        'cookie: b=zq-4',
        'Proxy-Authorization: Basic zq-5',
        'DPoP: zq-6',
      ]
      const { status, body } = await sendLines(service, credentials.join('\r\n'))
      expect(status).toBe(200)
      expect(JSON.parse(body)).toHaveProperty('clientId', suite.servers.authorizationServer.clients.basic.clientId)
      expect(body).not.toContain('zq')
    })
  })
}
