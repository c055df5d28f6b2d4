import { describe, expect, it } from 'vitest'
import { createInvoice, readInvoice } from '../dist/hey-api/index.ts'
import { createHeyApiClient } from '../src/hey-api.ts'
import { itGivesItsForm, itGivesItsResponse } from './answers.ts'
import { describeCalls } from './calls.ts'
import { describeDownload, itUploads } from './streams.ts'
import { realSetting, rejection, scriptedSetting } from './support.ts'

const invoice = { customer: 'Zoë €', amount: 12 }
const path = { id: '42' }

describeCalls({
  calls: {
    'a GET': {
      method: 'GET',
      path: '/v1/invoices/42',
      result: { method: 'GET', path: '/v1/invoices/42' },
      make: async (target, options) => {
        const client = createHeyApiClient(target, target.baseUrl)
        return (await readInvoice({ ...options, client, path, throwOnError: true })).data
      },
    },
    'a POST': {
      method: 'POST',
      path: '/v1/invoices',
      body: JSON.stringify(invoice),
      result: { method: 'POST', body: JSON.stringify(invoice) },
      make: async (target, options) => {
        const client = createHeyApiClient(target, target.baseUrl)
        return (await createInvoice({ ...options, client, body: invoice, throwOnError: true })).data
      },
    },
  },
  expectAborted: (error) => expect(error).toMatchObject({ name: 'AbortError' }),
  // What it throws is the body of the answer, without a status.
  expectForbidden: (error) => expect(error).toEqual({ error: 'insufficient_scope' }),
})

itGivesItsResponse(async (target) => {
  const { response } = await readInvoice({ client: createHeyApiClient(target, target.baseUrl), path })
  return response
})

itGivesItsForm(
  async (target) => (await createHeyApiClient(target, target.baseUrl).get({ url: '/form', parseAs: 'formData' })).data,
)

itUploads((target, body) =>
  createHeyApiClient(target, target.baseUrl).post({
    url: '/import',
    body,
    bodySerializer: null,
    duplex: 'half',
    throwOnError: true,
  }),
)

describeDownload({
  start: async (target, given) => {
    const options = { ...given, url: '/export', parseAs: 'stream', throwOnError: true } as const
    return (await createHeyApiClient(target, target.baseUrl).get(options)).response.body
  },
  expectAborted: (error) => expect(error).toMatchObject({ name: 'AbortError' }),
})

describe('without throwOnError', () => {
  it('an error status is a value beside its response', async () => {
    const target = await realSetting(undefined, { scope: 'profile:read' })
    const { data, error, response } = await readInvoice({ client: createHeyApiClient(target, target.baseUrl), path })
    expect({ data, error, status: response?.status }).toEqual({
      data: undefined,
      error: { error: 'insufficient_scope' },
      status: 403,
    })
  })

  it('the reason why there is no token is a value without a response', async () => {
    const { requests, ...target } = await realSetting(undefined, { secret: 'wrong' })
    const { error, response } = await readInvoice({ client: createHeyApiClient(target, target.baseUrl), path })
    expect(error).toMatchObject({ code: 'ERR_TOKENWELL_TOKEN_REQUEST' })
    expect(response).toBeUndefined()
    expect(requests).toEqual([])
  })
})

it('an answer that is a stream of events gives them one by one', async () => {
  const events = 'data: {"id":1}\n\ndata: {"id":2}\n\n'
  const headers = { 'content-type': 'text/event-stream' }
  const { api, ...target } = await scriptedSetting({ headers, body: events, slowBody: { chunk: 5, everyMs: 1 } })
  const { stream } = await createHeyApiClient(target, target.baseUrl).sse.get({ url: '/events' })
  const seen: unknown[] = []
  for await (const event of stream) seen.push(event)
  expect(seen).toEqual([{ id: 1 }, { id: 2 }])
  expect(api.requests).toMatchObject([{ headers: { authorization: expect.stringMatching(/^Bearer /) as string } }])
})

describe('interceptors', () => {
  it('of the request may change it, or give another one', async () => {
    const { requests, ...target } = await realSetting()
    const client = createHeyApiClient(target, target.baseUrl)
    client.interceptors.request.use((request) => {
      request.headers.set('x-changed', '1')
      return request
    })
    client.interceptors.request.use(
      (request) => new Request(request, { headers: [...request.headers, ['x-other', '2']] }),
    )
    await createInvoice({ client, body: invoice, throwOnError: true })
    expect(requests).toMatchObject([{ body: JSON.stringify(invoice), headers: { 'x-changed': '1', 'x-other': '2' } }])
  })

  it.each<[string, (response: Response) => Response | Promise<Response>]>([
    ['the response that it got', (response) => response],
    ['its clone', (response) => response.clone()],
    ['a new one around its body', (response) => new Response(response.body, response)],
    ['a new one made of its text', async (response) => new Response(await response.text(), response)],
  ])('of the response may give back %s', async (_name, change) => {
    const target = await realSetting()
    const client = createHeyApiClient(target, target.baseUrl)
    client.interceptors.response.use(change)
    const { data } = await readInvoice({ client, path, throwOnError: true })
    expect(data).toMatchObject({ method: 'GET' })
  })

  it('of errors see the reason why there is no token', async () => {
    const target = await realSetting(undefined, { secret: 'wrong' })
    const client = createHeyApiClient(target, target.baseUrl)
    const seen: unknown[] = []
    client.interceptors.error.use((error) => (seen.push(error), error))
    expect(await rejection(readInvoice({ client, path, throwOnError: true }))).toBe(seen[0])
    expect(seen).toMatchObject([{ code: 'ERR_TOKENWELL_TOKEN_REQUEST' }])
  })
})
