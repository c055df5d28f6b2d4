import { once } from 'node:events'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { setImmediate } from 'node:timers/promises'

import type { Upstream } from '@tokenwell/core'
import { describe, expect, test } from 'vitest'

import { ask, callInvoices, traceHeaders, type Seen } from '../requests.ts'
import { urlOf, type AdapterOptions, type Suite } from '../service.ts'

export function inboundRequest(suite: Suite): void {
  const { start } = suite

  describe('the inbound request', () => {
    test('passes on its trace headers and request id, and no credential of its own', async () => {
      await using upstreams = suite.servers.createBilling()
      await using service = await start({ upstreams, handler: callInvoices })
      const inbound = { authorization: 'Bearer inbound', cookie: 'session=inbound', 'x-other': 'inbound' }
      const seen = await ask(service, { headers: { ...traceHeaders, ...inbound } })
      expect(seen.headers).toMatchObject(traceHeaders)
      expect(seen.headers).not.toHaveProperty('cookie')
      expect(JSON.stringify(seen)).not.toContain('inbound')
      expect(seen.clientId).toBe(suite.servers.authorizationServer.clients.basic.clientId)
    })

    test('passes on the headers that `propagate` names, and only those', async () => {
      await using upstreams = suite.servers.createBilling()
      await using service = await start({ upstreams, options: { propagate: ['X-Other'] }, handler: callInvoices })
      const { headers } = await ask(service, { headers: { ...traceHeaders, 'x-other': 'inbound' } })
      expect(headers).toHaveProperty('x-other', 'inbound')
      for (const header of Object.keys(traceHeaders)) expect(headers).not.toHaveProperty(header)
    })

    test('has the headers of `context` on top of its own', async () => {
      const context: AdapterOptions['context'] = ({ headers }) => ({
        headers: { 'x-tenant': String(headers['x-other']), 'x-request-id': 'r-2' },
      })
      await using upstreams = suite.servers.createBilling()
      await using service = await start({ upstreams, options: { context }, handler: callInvoices })
      const { headers } = await ask(service, { headers: { ...traceHeaders, 'x-other': 'acme' } })
      expect(headers).toMatchObject({ ...traceHeaders, 'x-tenant': 'acme', 'x-request-id': 'r-2' })
    })

    test('leaves alone what the call itself sets', async () => {
      await using upstreams = suite.servers.createBilling()
      const handler = async (billing: Upstream) =>
        (await billing.fetch('/invoices/42', { headers: { 'X-Request-Id': 'r-2' } })).json()
      await using service = await start({ upstreams, handler })
      const { headers } = await ask(service, { headers: traceHeaders })
      expect(headers).toMatchObject({ ...traceHeaders, 'x-request-id': 'r-2' })
    })

    test('is not mixed up with others at the same time', async () => {
      await using upstreams = suite.servers.createBilling()
      const handler = async (billing: Upstream) => {
        await setImmediate()
        return callInvoices(billing)
      }
      await using service = await start({ upstreams, handler })
      const ids = Array.from({ length: 20 }, (_, index) => `r-${index}`)
      const seen = await Promise.all(ids.map((id) => ask(service, { headers: { 'x-request-id': id } })))
      expect(seen.map(({ headers }) => headers['x-request-id'])).toEqual(ids)
    })

    test('keeps its context when its body comes late', async () => {
      await using upstreams = suite.servers.createBilling()
      await using service = await start({ upstreams, handler: callInvoices })
      const headers = { 'x-request-id': 'r-3', 'content-type': 'application/json', 'content-length': 2 }
      const inbound = httpRequest(urlOf(service), { method: 'POST', headers })
      inbound.flushHeaders()
      await once(service.server, 'request')
      await setImmediate()
      inbound.end('{}')
      const [response] = (await once(inbound, 'response')) as [IncomingMessage]
      const seen = JSON.parse(Buffer.concat(await response.toArray()).toString()) as Seen
      expect(seen.headers).toHaveProperty('x-request-id', 'r-3')
    })
  })
}
