import { tokenExchange, type Log } from '@tokenwell/core'
import { createScriptedServer, tokenReply } from '@tokenwell/testing'
import { describe, expect, test, vi } from 'vitest'

import { ask, call, callInvoices } from '../requests.ts'
import { urlOf, type AdapterOptions, type ContextOf, type Suite } from '../service.ts'

const context: ContextOf = ({ headers }) => ({ subjectToken: String(headers['x-subject']) })

const as = (subject: string) => ({ headers: { 'x-subject': subject, 'x-request-id': subject } })

/** A token endpoint that exchanges `alice` for `for-alice-1`, and an API that answers with the token it was shown. */
async function startExchange() {
  let issued = 0
  const tokenEndpoint = await createScriptedServer(({ form }) =>
    tokenReply({ accessToken: `for-${form.get('subject_token')}-${(issued += 1)}` }),
  )
  const api = await createScriptedServer(({ headers }) => ({ body: { token: headers.authorization } }))
  const grant = tokenExchange({ subjectToken: ({ subjectToken }) => subjectToken })
  const oauth = { tokenEndpoint: tokenEndpoint.url, scope: undefined, grant }
  return {
    tokenEndpoint,
    api,
    billing: { baseUrl: api.url, oauth, retry: false as const },
    [Symbol.asyncDispose]: async () => void (await Promise.all([tokenEndpoint.close(), api.close()])),
  }
}

export function callers(suite: Suite): void {
  const { start } = suite

  describe('callers on whose behalf calls are made', () => {
    // Regressions S2, S5: no caller ever gets what was got for another.
    test('each have their own token, also while others hang up', async () => {
      await using exchange = await startExchange()
      const { api, tokenEndpoint } = exchange
      const [first, held] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
      tokenEndpoint.respondWith(async ({ form }) => {
        const subject = form.get('subject_token') ?? ''
        if (subject.startsWith('held')) {
          first.resolve()
          await held.promise
        }
        return tokenReply({ accessToken: `for-${subject}` })
      })
      await using upstreams = suite.servers.createBilling(exchange.billing)
      await using service = await start({ upstreams, options: { context }, handler: callInvoices })

      const leaving = call(service, as('held-1'))
      await first.promise
      const others = Array.from({ length: 12 }, (_, index) => `s-${index % 6}`)
      const answers = Promise.all(others.map((subject) => ask(service, as(subject))))
      await leaving.hangUp()
      const staying = ask(service, as('held-2'))
      held.resolve()
      expect(await answers).toEqual(others.map((subject) => ({ token: `Bearer for-${subject}` })))
      expect(await staying).toEqual({ token: 'Bearer for-held-2' })
      expect(await ask(service, as('held-1'))).toEqual({ token: 'Bearer for-held-1' })
      for (const { headers } of api.requests)
        expect(headers.authorization).toBe(`Bearer for-${String(headers['x-request-id'])}`)
      expect(tokenEndpoint.requests).toHaveLength(8)
    })

    test('have the logger that `context` gives, each its own', async () => {
      const lines: string[] = []
      const logOf = (name: string): Log => {
        const line = (_fields: object, message?: string) => void lines.push(`${name}: ${message}`)
        return { debug: line, info: line, warn: line, error: line }
      }
      await using exchange = await startExchange()
      const grant = tokenExchange({
        subjectToken({ subjectToken, log }) {
          log?.info({}, 'a token is asked for')
          return subjectToken
        },
      })
      const oauth = { ...exchange.billing.oauth, grant }
      await using upstreams = suite.servers.createBilling({ ...exchange.billing, oauth })
      const options: AdapterOptions = {
        context: (request) => ({ ...context(request), log: logOf(String(request.headers['x-subject'])) }),
      }
      await using service = await start({ upstreams, options, handler: callInvoices })
      await Promise.all(['alice', 'bob'].map((subject) => ask(service, as(subject))))
      expect(new Set(lines)).toEqual(new Set(['alice: a token is asked for', 'bob: a token is asked for']))
    })

    test('without a token of their own are told so, and nothing is sent', async () => {
      await using exchange = await startExchange()
      await using upstreams = suite.servers.createBilling(exchange.billing)
      const onError = vi.fn()
      const options: AdapterOptions = { context: () => ({}) }
      await using service = await start({ upstreams, options, handler: callInvoices, onError })
      const response = await fetch(urlOf(service))
      expect(response.status).toBe(401)
      if (suite.sendsErrorHeaders) expect(response.headers.get('www-authenticate')).toBe('Bearer')
      expect(onError.mock.calls).toMatchObject([[{ code: 'ERR_TOKENWELL_CONTEXT', lacks: 'subjectToken' }]])
      expect([...exchange.tokenEndpoint.requests, ...exchange.api.requests]).toEqual([])
    })
  })
}
