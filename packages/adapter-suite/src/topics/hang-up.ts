import type { Upstream } from '@tokenwell/core'
import { createScriptedServer } from '@tokenwell/testing'
import { describe, expect, test } from 'vitest'

import { ask, call as callerOf, holdTokens, nextInboundEnd } from '../requests.ts'
import type { Suite } from '../service.ts'

export function hangUp(suite: Suite): void {
  const { start } = suite

  describe('a caller that hangs up', () => {
    test.each([
      { abortOnDisconnect: undefined, method: 'GET', ends: true },
      { abortOnDisconnect: undefined, method: 'POST', ends: false },
      { abortOnDisconnect: 'safe-methods', method: 'GET', ends: true },
      { abortOnDisconnect: 'safe-methods', method: 'POST', ends: false },
      { abortOnDisconnect: 'always', method: 'GET', ends: true },
      { abortOnDisconnect: 'always', method: 'POST', ends: true },
      { abortOnDisconnect: 'never', method: 'GET', ends: false },
      { abortOnDisconnect: 'never', method: 'POST', ends: false },
    ] as const)('with abortOnDisconnect $abortOnDisconnect, $method: ends the call: $ends', async (row) => {
      const { abortOnDisconnect, method, ends } = row
      const [reached, release] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
      await using api = await createScriptedServer(async () => {
        reached.resolve()
        await release.promise
        return { body: {} }
      })
      await using upstreams = suite.servers.createBilling({ baseUrl: api.url })
      const outcome = Promise.withResolvers<number>()
      const handler = async (billing: Upstream) => {
        outcome.resolve(billing.request('/invoices', { method }).then(({ statusCode }) => statusCode))
        return outcome.promise
      }
      await using service = await start({ upstreams, options: { abortOnDisconnect }, handler })

      const caller = callerOf(service, { method })
      await reached.promise
      await caller.hangUp()
      release.resolve()
      if (ends) await expect(outcome.promise).rejects.toMatchObject({ name: 'AbortError' })
      else expect(await outcome.promise).toBe(200)
    })

    test('is told as such to who waits for fetch', async () => {
      const reached = Promise.withResolvers<void>()
      await using api = await createScriptedServer(() => {
        reached.resolve()
        return { hang: true }
      })
      await using upstreams = suite.servers.createBilling({ baseUrl: api.url })
      const outcome = Promise.withResolvers<Response>()
      const handler = async (billing: Upstream) => {
        outcome.resolve(billing.fetch('/invoices'))
        return (await outcome.promise).json()
      }
      await using service = await start({ upstreams, handler })
      const caller = callerOf(service)
      await reached.promise
      await caller.hangUp()
      await expect(outcome.promise).rejects.toMatchObject({ name: 'AbortError' })
    })

    test('does not end the token request that others wait for', async () => {
      const { authorizationServer } = suite.servers
      using tokens = holdTokens(suite.servers)
      await using upstreams = suite.servers.createBilling()
      const calls: Promise<unknown>[] = []
      const twoCalls = Promise.withResolvers<void>()
      const handler = (billing: Upstream) => {
        const call = billing.request('/invoices/42').then(({ body }) => body.json())
        if (calls.push(call) === 2) twoCalls.resolve()
        return call
      }
      const before = authorizationServer.tokenRequestCount
      await using service = await start({ upstreams, options: { warmUp: 'off' }, handler })

      const caller = callerOf(service)
      await tokens.arrived
      const other = ask(service)
      await twoCalls.promise
      await caller.hangUp()
      await expect(calls[0]).rejects.toMatchObject({ name: 'AbortError' })
      tokens.release()
      expect(await other).toHaveProperty('clientId')
      expect(authorizationServer.tokenRequestCount - before).toBe(1)
    })

    test('after its answer ends nothing', async () => {
      const release = Promise.withResolvers<void>()
      await using api = await createScriptedServer(async () => {
        await release.promise
        return { body: {} }
      })
      await using upstreams = suite.servers.createBilling({ baseUrl: api.url })
      const outcome = Promise.withResolvers<Response>()
      const handler = async (billing: Upstream) => {
        outcome.resolve(billing.fetch('/invoices'))
        return {}
      }
      await using service = await start({ upstreams, handler })
      const ended = nextInboundEnd(service)
      await ask(service, { headers: { connection: 'close' } })
      await ended
      release.resolve()
      expect((await outcome.promise).status).toBe(200)
    })
  })
}
