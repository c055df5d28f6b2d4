import { TokenwellError } from '@tokenwell/core'
import { createScriptedServer } from '@tokenwell/testing'
import { describe, expect, test, vi } from 'vitest'

import { ask, callInvoices, holdTokens } from '../requests.ts'
import type { Suite } from '../service.ts'

export function warmingUp(suite: Suite): void {
  const { start } = suite

  describe('warming up', () => {
    test('is one token request before the first request, and the start does not wait for it', async () => {
      const { authorizationServer } = suite.servers
      using tokens = holdTokens(suite.servers)
      await using upstreams = suite.servers.createBilling()
      const before = authorizationServer.tokenRequestCount
      await using service = await start({ upstreams, handler: callInvoices })
      await tokens.arrived
      tokens.release()
      await ask(service)
      expect(authorizationServer.tokenRequestCount - before).toBe(1)
    })

    test('that fails in the background disturbs nobody', async () => {
      await using tokenEndpoint = await createScriptedServer({ status: 500 })
      await using upstreams = suite.servers.createBilling({ oauth: { tokenEndpoint: tokenEndpoint.url } })
      const warmUp = vi.fn(() => upstreams.warmUp())
      const handler = () => Promise.resolve({})
      await using service = await start({ upstreams: { ...upstreams, warmUp }, handler })
      await expect(warmUp.mock.results[0]?.value).rejects.toThrow(TokenwellError)
      await ask(service)
      expect(warmUp).toHaveBeenCalledOnce()
    })

    test("that is 'off' is left to the first call", async () => {
      await using upstreams = suite.servers.createBilling()
      const warmUp = vi.fn(() => upstreams.warmUp())
      const before = suite.servers.authorizationServer.tokenRequestCount
      await using service = await start({
        upstreams: { ...upstreams, warmUp },
        options: { warmUp: 'off' },
        handler: callInvoices,
      })
      expect(warmUp).not.toHaveBeenCalled()
      await ask(service)
      expect(warmUp).not.toHaveBeenCalled()
      expect(suite.servers.authorizationServer.tokenRequestCount - before).toBe(1)
    })
  })
}
