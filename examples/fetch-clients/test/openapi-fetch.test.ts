import type { Middleware } from 'openapi-fetch'
import { describe, expect, it } from 'vitest'
import { createOpenapiClient } from '../src/openapi-fetch.ts'
import { itGivesItsForm, itGivesItsResponse } from './answers.ts'
import { describeCalls, type CallOptions } from './calls.ts'
import { describeDownload, itUploads } from './streams.ts'
import { realSetting, rejection, scriptedSetting, type Target } from './support.ts'

const invoice = { customer: 'Zoë €', amount: 12 }
const params = { path: { id: '42' } }

/** The library gives an error status as a value, which the suite takes as an error. */
class ErrorStatus extends Error {
  readonly answer: unknown
  readonly status: number

  constructor(answer: unknown, status: number) {
    super(`status ${status}`)
    this.answer = answer
    this.status = status
  }
}

async function dataOf(answered: Promise<{ data?: unknown; error?: unknown; response: Response }>): Promise<unknown> {
  const { data, error, response } = await answered
  if (!response.ok) throw new ErrorStatus(error, response.status)
  return data
}

const read = (target: Target, options: CallOptions & { middleware?: Middleware[] } = {}): Promise<unknown> =>
  dataOf(createOpenapiClient(target, target.baseUrl).GET('/invoices/{id}', { ...options, params }))

const write = (target: Target, options: CallOptions & { middleware?: Middleware[] } = {}): Promise<unknown> =>
  dataOf(createOpenapiClient(target, target.baseUrl).POST('/invoices', { ...options, body: invoice }))

describeCalls({
  calls: {
    'a GET': {
      method: 'GET',
      path: '/v1/invoices/42',
      result: { method: 'GET', path: '/v1/invoices/42' },
      make: read,
    },
    'a POST': {
      method: 'POST',
      path: '/v1/invoices',
      body: JSON.stringify(invoice),
      result: { method: 'POST', body: JSON.stringify(invoice) },
      make: write,
    },
  },
  expectAborted: (error) => expect(error).toMatchObject({ name: 'AbortError' }),
  expectForbidden: (error) => expect(error).toMatchObject({ status: 403, answer: { error: 'insufficient_scope' } }),
})

itGivesItsResponse(async (target) => {
  const { response } = await createOpenapiClient(target, target.baseUrl).GET('/invoices/{id}', { params })
  return response
})

itGivesItsForm(async (target) => {
  const options = { params, parseAs: 'stream' } as const
  return (await createOpenapiClient(target, target.baseUrl).GET('/invoices/{id}', options)).response.formData()
})

itUploads((target, body) =>
  createOpenapiClient(target, target.baseUrl).POST('/invoices', {
    body: invoice,
    bodySerializer: () => body,
    duplex: 'half',
  }),
)

describeDownload({
  start: async (target, given) => {
    const options = { ...given, params, parseAs: 'stream' } as const
    return (await createOpenapiClient(target, target.baseUrl).GET('/invoices/{id}', options)).data
  },
  expectAborted: (error) => expect(error).toMatchObject({ name: 'AbortError' }),
})

it('rejects with the error for the lack of a token itself', async () => {
  const target = await realSetting(undefined, { secret: 'wrong' })
  expect(await rejection(read(target))).toMatchObject({ code: 'ERR_TOKENWELL_TOKEN_REQUEST' })
})

describe('middleware', () => {
  it('onRequest may change the request, or give another one', async () => {
    const { requests, ...target } = await realSetting()
    const middleware: Middleware[] = [
      { onRequest: ({ request }) => request.headers.set('x-changed', '1') },
      { onRequest: ({ request }) => new Request(request, { headers: [...request.headers, ['x-other', '2']] }) },
    ]
    await write(target, { middleware })
    expect(requests).toMatchObject([{ body: JSON.stringify(invoice), headers: { 'x-changed': '1', 'x-other': '2' } }])
  })

  it('onRequest may answer in place of the API', async () => {
    const { requests, ...target } = await realSetting()
    const middleware: Middleware[] = [{ onRequest: () => Response.json({ cached: true }) }]
    expect(await read(target, { middleware })).toEqual({ cached: true })
    expect(requests).toEqual([])
  })

  it.each<[string, (response: Response) => Response | Promise<Response>]>([
    ['the response that it got', (response) => response],
    ['its clone', (response) => response.clone()],
    ['a new one around its body', (response) => new Response(response.body, response)],
    ['a new one made of its text', async (response) => new Response(await response.text(), response)],
  ])('onResponse may give back %s', async (_name, change) => {
    const target = await realSetting()
    const middleware: Middleware[] = [{ onResponse: ({ response }) => change(response) }]
    expect(await read(target, { middleware })).toMatchObject({ method: 'GET' })
  })

  it('onError sees the reason why there is no token, and may answer in its place', async () => {
    const { requests, ...target } = await realSetting(undefined, { secret: 'wrong' })
    const seen: unknown[] = []
    const middleware: Middleware[] = [
      {
        onError: ({ error }) => {
          seen.push(error)
          return Response.json({ fallback: true })
        },
      },
    ]
    expect(await read(target, { middleware })).toEqual({ fallback: true })
    expect(seen).toMatchObject([{ code: 'ERR_TOKENWELL_TOKEN_REQUEST' }])
    expect(requests).toEqual([])
  })

  it('onError may answer with the response of another call', async () => {
    const { api, ...target } = await scriptedSetting({ reset: true }, { reset: true }, { body: { ok: true } })
    const middleware: Middleware[] = [{ onError: () => target.fetch('/fallback') }]
    expect(await read(target, { middleware })).toEqual({ ok: true })
    // The upstream itself tried twice before there was an error.
    expect(api.requests.map(({ path }) => path)).toEqual(['/v1/invoices/42', '/v1/invoices/42', '/v1/fallback'])
  })
})
