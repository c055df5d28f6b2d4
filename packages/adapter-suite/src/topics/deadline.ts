import { UpstreamTimeoutError } from '@tokenwell/core'
import { createScriptedServer } from '@tokenwell/testing'
import { describe, expect, test, vi } from 'vitest'

import { ask, callInvoices, holdTokens, ways } from '../requests.ts'
import { urlOf, type AdapterOptions, type ContextOf, type Suite } from '../service.ts'

// What a service does whose callers say how long they wait. Without the header it is NaN, and counts as none.
const context: ContextOf = ({ headers }) => ({ deadline: Date.now() + Number(headers['x-wait-ms']) })
const waiting = (ms: number) => ({ headers: { 'x-wait-ms': String(ms) } })

export function deadline(suite: Suite): void {
  const { start } = suite

  describe('a deadline of `context`', () => {
    test.each(ways)('ends a call by %s, whose caller is told 504', async (_, handler) => {
      await using api = await createScriptedServer({ hang: true })
      await using upstreams = suite.servers.createBilling({ baseUrl: api.url })
      await upstreams.warmUp()
      const onError = vi.fn()
      await using service = await start({ upstreams, options: { context }, handler, onError })
      const response = await fetch(urlOf(service), waiting(300))
      expect(response.status).toBe(504)
      expect(onError.mock.calls[0]?.[0]).toBeInstanceOf(UpstreamTimeoutError)
      expect(await response.text()).not.toContain(new URL(api.url).host)
      await expect.poll(() => api.openConnectionCount).toBe(0)
    })

    test('ends the wait for a token, and not the token request that others wait for', async () => {
      const { authorizationServer } = suite.servers
      using tokens = holdTokens(suite.servers)
      await using upstreams = suite.servers.createBilling()
      const before = authorizationServer.tokenRequestCount
      const options: AdapterOptions = { context, warmUp: 'off' }
      await using service = await start({ upstreams, options, handler: callInvoices })
      const late = fetch(urlOf(service), waiting(300))
      await tokens.arrived
      const other = ask(service)
      expect((await late).status).toBe(504)
      tokens.release()
      expect(await other).toHaveProperty('clientId')
      expect(authorizationServer.tokenRequestCount - before).toBe(1)
    })

    test.each(ways)('that has passed lets nothing be sent by %s', async (_, handler) => {
      await using api = await createScriptedServer({ body: {} })
      await using upstreams = suite.servers.createBilling({ baseUrl: api.url })
      const before = suite.servers.authorizationServer.tokenRequestCount
      await using service = await start({ upstreams, options: { context, warmUp: 'off' }, handler })
      expect((await fetch(urlOf(service), waiting(-1))).status).toBe(504)
      expect(api.requests).toEqual([])
      expect(suite.servers.authorizationServer.tokenRequestCount).toBe(before)
      expect((await fetch(urlOf(service))).status).toBe(200)
    })
  })
}
