import type { Upstream } from '@tokenwell/core'
import { describe, expect, test } from 'vitest'

import { ask, callInvoices } from '../requests.ts'
import type { Suite } from '../service.ts'

export function calls(suite: Suite): void {
  const { start } = suite

  describe('a call from a handler', () => {
    test.each<[string, (billing: Upstream) => Promise<unknown>]>([
      ['fetch', callInvoices],
      ['request', async (billing) => (await billing.request('/invoices/42')).body.json()],
      [
        'the dispatcher',
        async ({ dispatcher }) => {
          const { url } = suite.servers.api
          return (await dispatcher.request({ origin: url, path: '/v1/invoices/42', method: 'GET' })).body.json()
        },
      ],
    ])("through %s reaches the API with this service's token", async (_, handler) => {
      await using upstreams = suite.servers.createBilling()
      await using service = await start({ upstreams, handler })
      expect(await ask(service)).toMatchObject({
        method: 'GET',
        path: '/v1/invoices/42',
        clientId: suite.servers.authorizationServer.clients.basic.clientId,
        scope: 'invoices:read',
        tokenType: 'Bearer',
      })
    })

    // Regressions S9 and J65: one cache for all requests.
    test('50 requests at once cause one token request', async () => {
      await using upstreams = suite.servers.createBilling()
      const before = suite.servers.authorizationServer.tokenRequestCount
      await using service = await start({ upstreams, handler: callInvoices })
      const seen = await Promise.all(Array.from({ length: 50 }, () => ask(service)))
      expect(new Set(seen.map(({ clientId }) => clientId)).size).toBe(1)
      expect(suite.servers.authorizationServer.tokenRequestCount - before).toBe(1)
    })
  })
}
