import type { RequestListener } from 'node:http'
import { TokenRequestError } from '@tokenwell/core'
import { describe, expect, it } from 'vitest'
import {
  everyForm,
  realSetting,
  rejection,
  scriptedSetting,
  tokenwellErrorIn,
  type SeenRequest,
  type Target,
} from './support.ts'

/** What a caller may give along with a call. */
export interface CallOptions {
  readonly headers?: Record<string, string>
  readonly signal?: AbortSignal
}

/** One call of a library, as the suite expects it to arrive and to be answered. */
export interface Call {
  readonly method: 'GET' | 'POST'
  /** Path, and query if there is one. */
  readonly path: string | RegExp
  /** The bytes that arrive; nothing for a GET. */
  readonly body?: string | Buffer
  /** What the library makes of the answer. */
  readonly result: unknown
  readonly make: (target: Target, options: CallOptions) => Promise<unknown>
}

/** What the suite must know of a library. */
export interface ClientUnderTest {
  /** What is behind the API, if the API's own answer is not what the library can read. */
  readonly serve?: RequestListener
  readonly calls: Readonly<Record<string, Call>>
  /** What the library makes of an aborted call. Throws if it is not that. */
  readonly expectAborted: (error: unknown) => void
  /** What the library makes of a 403. Throws if it is not that. */
  readonly expectForbidden: (error: unknown) => void
}

/** What an upstream's fetch must do for every library. */
export function describeCalls(client: ClientUnderTest): void {
  describe.each(Object.entries(client.calls))('%s', (_name, call) => {
    it('arrives with the token, as the caller wrote it', async () => {
      const { requests, api, ...target } = await realSetting(client.serve)
      const result = await call.make(target, {
        headers: { 'x-request-id': 'r-1', accept: 'application/vnd.billing+json' },
      })
      expect(result).toMatchObject(call.result as object)
      const arrived = only(requests)
      expectAsWritten(arrived, call)
      expect(arrived.status).toBe(200)
      expect(arrived.headers).toMatchObject({ 'x-request-id': 'r-1', accept: 'application/vnd.billing+json' })
      expect(only(api.requests).clientId).toBe(target.server.clients.basicPlain.clientId)
    })

    // Some servers refuse a body whose length they are not told (RFC 9110 §15.5.12).
    it('says how long its body is', async () => {
      const { requests, ...target } = await realSetting(client.serve)
      await call.make(target, {})
      const { headers } = only(requests)
      expect(headers['content-length']).toBe(call.body === undefined ? undefined : String(Buffer.byteLength(call.body)))
      expect(headers['transfer-encoding']).toBeUndefined()
    })

    it('is sent again with another token when the API refuses the one it had', async () => {
      const { requests, api, ...target } = await realSetting(client.serve)
      await call.make(target, {})
      api.revokeAll()
      expect(await call.make(target, {})).toMatchObject(call.result as object)
      expect(requests.map(({ status }) => status)).toEqual([200, 401, 200])
      for (const request of requests) expectAsWritten(request, call)
      expect(target.tokenRequests()).toBe(2)
    })

    it('ends with what the library promises when the caller aborts it, and leaves no connection', async () => {
      const { api, ...target } = await scriptedSetting({ hang: true })
      const controller = new AbortController()
      const failed = rejection(call.make(target, { signal: controller.signal }))
      await expect.poll(() => api.requests).toHaveLength(1)
      controller.abort()
      client.expectAborted(await failed)
      await expect.poll(() => api.openConnectionCount).toBe(0)
      expect(api.requests).toHaveLength(1)
    })

    it('ends the same way while it waits for a token, and is never sent', async () => {
      const { requests, ...target } = await realSetting(client.serve)
      const [asked, release] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
      const forget = target.server.onTokenRequest(() => (asked.resolve(), release.promise))
      const controller = new AbortController()
      const failed = rejection(call.make(target, { signal: controller.signal }))
      await asked.promise
      controller.abort()
      client.expectAborted(await failed)
      release.resolve()
      forget()
      // The token comes for those who still want it.
      await target.upstream.tokens.get()
      expect(requests).toEqual([])
      expect(target.tokenRequests()).toBe(1)
    })

    it('is not sent without a token: the error tells why, no secret, and costs one token request', async () => {
      const secret = 'Kq7-wrong-secret-0123456789'
      const { requests, ...target } = await realSetting(client.serve, { secret })
      const error = await rejection(call.make(target, {}))
      expect(tokenwellErrorIn(error)).toBeInstanceOf(TokenRequestError)
      expect(tokenwellErrorIn(error)).toMatchObject({ error: 'invalid_client', tokenEndpointStatus: 401 })
      for (const form of secretForms(target.server.clients.basicPlain.clientId, secret)) {
        expect(everyForm(error)).not.toContain(form)
      }
      expect(requests).toEqual([])
      expect(target.tokenRequests()).toBe(1)
    })

    it("gives the library's own error for an error status, in which there is no token", async () => {
      const { requests, ...target } = await realSetting(client.serve, { scope: 'profile:read' })
      const error = await rejection(call.make(target, {}))
      client.expectForbidden(error)
      expect(everyForm(error)).not.toContain((await target.upstream.tokens.get()).value)
      expect(only(requests).status).toBe(403)
      expect(target.tokenRequests()).toBe(1)
    })
  })

  it.each(Object.entries(client.calls).slice(0, 1))(
    '%s made many times at once waits for one token',
    async (_name, call) => {
      const { requests, ...target } = await realSetting(client.serve)
      await Promise.all(Array.from({ length: 10 }, () => call.make(target, {})))
      expect(requests.map(({ status }) => status)).toEqual(Array.from({ length: 10 }, () => 200))
      expect(target.tokenRequests()).toBe(1)
    },
  )
}

function expectAsWritten({ method, path, body }: SeenRequest, call: Call): void {
  expect(method).toBe(call.method)
  expect(path).toMatch(call.path)
  expect(Buffer.from(body)).toEqual(Buffer.from(call.body ?? ''))
}

function only<T>(list: readonly T[]): T {
  expect(list).toHaveLength(1)
  return list[0] as T
}

function secretForms(clientId: string, secret: string): string[] {
  return [secret, Buffer.from(`${clientId}:${secret}`).toString('base64')]
}
