import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

import type { Upstream } from '@tokenwell/core'
import { createScriptedServer } from '@tokenwell/testing'
import { describe, expect, test, vi } from 'vitest'

import { ask, call, callInvoices, holdTokens, nextInboundEnd, ways } from '../requests.ts'
import { portOf, type Suite } from '../service.ts'

const abortError = { name: 'AbortError' }
const refusal = { status: 401, headers: { 'www-authenticate': 'Bearer error="invalid_token"' }, body: {} }

/** A handler, and what became of its first call. */
function observed(work: (billing: Upstream) => Promise<unknown>) {
  const outcome = Promise.withResolvers<unknown>()
  // Looked at when the test is done with something else.
  outcome.promise.catch(() => {})
  const handler = (billing: Upstream) => {
    const answer = work(billing)
    outcome.resolve(answer)
    return answer
  }
  return { handler, outcome: outcome.promise }
}

/** Accepts connections and never says a word. */
async function startSilence() {
  const sockets: Socket[] = []
  const server = createServer((socket) => void sockets.push(socket.on('error', () => {})))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return {
    server,
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

export function hangUpStages(suite: Suite): void {
  const { start } = suite

  describe('a caller that hangs up', () => {
    test('before its body has come makes no call, and the next request is served', async () => {
      await using upstreams = suite.servers.createBilling()
      const handler = vi.fn(callInvoices)
      await using service = await start({ upstreams, handler })
      const ended = nextInboundEnd(service)
      const socket = connect(portOf(service), '127.0.0.1')
      const head = 'host: orders.example.com\r\ncontent-type: application/json\r\ncontent-length: 100'
      socket.write(`POST /orders/42 HTTP/1.1\r\n${head}\r\n\r\n{"half":`)
      await once(service.server, 'request')
      socket.resetAndDestroy()
      await ended
      expect(handler).not.toHaveBeenCalled()
      expect(await ask(service)).toHaveProperty('clientId')
    })

    test.each(ways)('before a call by %s lets nothing be sent', async (_, way) => {
      await using api = await createScriptedServer({ body: {} })
      await using upstreams = suite.servers.createBilling({ baseUrl: api.url })
      const before = suite.servers.authorizationServer.tokenRequestCount
      const [handled, gone] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
      const { handler, outcome } = observed(async (billing) => {
        handled.resolve()
        await gone.promise
        return way(billing)
      })
      await using service = await start({ upstreams, options: { warmUp: 'off' }, handler })
      const caller = call(service)
      await handled.promise
      await caller.hangUp()
      gone.resolve()
      await expect(outcome).rejects.toMatchObject(abortError)
      expect(api.requests).toEqual([])
      expect(suite.servers.authorizationServer.tokenRequestCount).toBe(before)
      expect(await ask(service)).toEqual({})
    })

    test.each(ways)('while a call by %s is connecting ends it', async (_, way) => {
      // TLS, to which nobody answers: for undici that is a connection yet to be made.
      await using silence = await startSilence()
      await using upstreams = suite.servers.createBilling({ baseUrl: `https://127.0.0.1:${silence.port}` })
      await upstreams.warmUp()
      const { handler, outcome } = observed(way)
      await using service = await start({ upstreams, handler })
      const connecting = once(silence.server, 'connection')
      const caller = call(service)
      await connecting
      await caller.hangUp()
      await expect(outcome).rejects.toMatchObject(abortError)
    })

    test.each<[string, (billing: Upstream, reading: () => void) => Promise<unknown>]>([
      [
        'fetch',
        async (billing, reading) => {
          const response = await billing.fetch('/invoices/42')
          reading()
          return response.json()
        },
      ],
      [
        'request',
        async (billing, reading) => {
          const { body } = await billing.request('/invoices/42')
          reading()
          return body.json()
        },
      ],
    ])('while what %s answered is read ends that, and its connection', async (_, read) => {
      await using api = await createScriptedServer({ body: { paid: true }, slowBody: { chunk: 1, everyMs: 600_000 } })
      await using upstreams = suite.servers.createBilling({ baseUrl: api.url })
      const reading = Promise.withResolvers<void>()
      const { handler, outcome } = observed((billing) => read(billing, reading.resolve))
      await using service = await start({ upstreams, handler })
      const caller = call(service)
      await reading.promise
      await caller.hangUp()
      await expect(outcome).rejects.toMatchObject(abortError)
      await expect.poll(() => api.openConnectionCount).toBe(0)
    })

    test.each(ways)('while a replay by %s waits for its token leaves the token to the others', async (_, way) => {
      const { authorizationServer } = suite.servers
      await using api = await createScriptedServer()
      api.respondWith(refusal, { body: { paid: true } })
      await using upstreams = suite.servers.createBilling({ baseUrl: api.url })
      await upstreams.warmUp()
      const before = authorizationServer.tokenRequestCount
      using tokens = holdTokens(suite.servers)
      const { handler, outcome } = observed(way)
      await using service = await start({ upstreams, options: { warmUp: 'off' }, handler })
      const caller = call(service)
      await tokens.arrived
      await caller.hangUp()
      await expect(outcome).rejects.toMatchObject(abortError)
      const other = ask(service)
      tokens.release()
      expect(await other).toEqual({ paid: true })
      expect(api.requests).toHaveLength(2)
      expect(authorizationServer.tokenRequestCount - before).toBe(1)
    })

    test.each(ways)('while a replay by %s waits for its answer ends that', async (_, way) => {
      const reached = Promise.withResolvers<void>()
      await using api = await createScriptedServer()
      api.respondWith(refusal, () => {
        reached.resolve()
        return { hang: true }
      })
      await using upstreams = suite.servers.createBilling({ baseUrl: api.url })
      const { handler, outcome } = observed(way)
      await using service = await start({ upstreams, handler })
      const caller = call(service)
      await reached.promise
      await caller.hangUp()
      await expect(outcome).rejects.toMatchObject(abortError)
      await expect.poll(() => api.openConnectionCount).toBe(0)
      api.respondWith({ body: { paid: true } })
      expect(await ask(service)).toEqual({ paid: true })
      expect(api.requests).toHaveLength(3)
    })
  })
}
