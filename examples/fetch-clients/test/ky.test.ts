import { HTTPError, TimeoutError, type KyInstance, type Options } from 'ky'
import { describe, expect, it } from 'vitest'
import type { Answer } from '../src/billing.ts'
import { createKy } from '../src/ky.ts'
import { itGivesItsForm, itGivesItsResponse } from './answers.ts'
import { describeCalls } from './calls.ts'
import { describeDownload, itUploads } from './streams.ts'
import { expectForm, formWithFile, realSetting, rejection, scriptedSetting } from './support.ts'

const invoice = { customer: 'Zoë €', amount: 12 }

describeCalls({
  calls: {
    'a GET': {
      method: 'GET',
      path: '/v1/invoices/42',
      result: { method: 'GET', path: '/v1/invoices/42' },
      make: (target, options) => createKy(target, target.baseUrl).get('invoices/42', options).json<Answer>(),
    },
    'a POST': {
      method: 'POST',
      path: '/v1/invoices',
      body: JSON.stringify(invoice),
      result: { method: 'POST', body: JSON.stringify(invoice) },
      make: (target, options) =>
        createKy(target, target.baseUrl)
          .post('invoices', { ...options, json: invoice })
          .json<Answer>(),
    },
  },
  expectAborted: (error) => expect(error).toMatchObject({ name: 'AbortError' }),
  expectForbidden: (error) => {
    expect(error).toBeInstanceOf(HTTPError)
    expect(error).toMatchObject({ response: { status: 403 }, data: { error: 'insufficient_scope' } })
  },
})

itGivesItsResponse((target) => createKy(target, target.baseUrl).get('invoices/42'))

itGivesItsForm((target) => createKy(target, target.baseUrl).get('form').formData())

// ky keeps what a retry of its own would send, which is the whole of a stream.
itUploads((target, body) => createKy(target, target.baseUrl).post('import', { body, retry: 0 }))

describeDownload({
  start: async (target, options) => (await createKy(target, target.baseUrl).get('export', options)).body,
  expectAborted: (error) => expect(error).toMatchObject({ name: 'AbortError' }),
})

it('tells how far an answer has come', async () => {
  const body = 'x'.repeat(100_000)
  const target = await scriptedSetting({ headers: { 'content-type': 'text/plain' }, body })
  const told: number[] = []
  const onDownloadProgress: Options['onDownloadProgress'] = ({ transferredBytes }) => void told.push(transferredBytes)
  expect(await createKy(target, target.baseUrl).get('export', { onDownloadProgress }).text()).toBe(body)
  expect(told.at(-1)).toBe(body.length)
})

it('tells how far a body has gone', async () => {
  const { requests, ...target } = await realSetting()
  const told: number[] = []
  const onUploadProgress: Options['onUploadProgress'] = ({ transferredBytes }) => void told.push(transferredBytes)
  await createKy(target, target.baseUrl).post('invoices', { json: invoice, onUploadProgress })
  expect(requests).toMatchObject([{ body: JSON.stringify(invoice), status: 200 }])
  expect(told.at(-1)).toBe(Buffer.byteLength(JSON.stringify(invoice)))
})

it('a form is sent with its boundary', async () => {
  const { requests, ...target } = await realSetting()
  await createKy(target, target.baseUrl).post('import', { body: formWithFile() })
  expectForm(requests)
})

it('a retry of its own uses the token again', async () => {
  const { api, ...target } = await scriptedSetting({ status: 503 }, { body: { ok: true } })
  const options = { retry: { delay: () => 1 } }
  expect(await createKy(target, target.baseUrl).get('invoices/42', options).json()).toEqual({ ok: true })
  expect(new Set(api.requests.map(({ headers }) => headers.authorization)).size).toBe(1)
  expect(api.requests).toHaveLength(2)
  expect(target.tokenRequests()).toBe(1)
})

it('its time-out ends a call, and leaves no connection', async () => {
  const { api, ...target } = await scriptedSetting({ hang: true })
  await target.upstream.tokens.get()
  const options = { timeout: 100, retry: 0 }
  const error = await rejection(createKy(target, target.baseUrl).get('invoices/42', options).json())
  expect(error).toBeInstanceOf(TimeoutError)
  await expect.poll(() => api.openConnectionCount).toBe(0)
})

describe('hooks', () => {
  const extended = async (hooks: NonNullable<Options['hooks']>): Promise<Setup> => {
    const { requests, ...target } = await realSetting()
    return { requests, billing: createKy(target, target.baseUrl).extend({ hooks }) }
  }
  interface Setup {
    readonly requests: Awaited<ReturnType<typeof realSetting>>['requests']
    readonly billing: KyInstance
  }

  it('beforeRequest may change the request, or give another one', async () => {
    const { requests, billing } = await extended({
      beforeRequest: [
        ({ request }) => request.headers.set('x-changed', '1'),
        ({ request }) => new Request(request, { headers: [...request.headers, ['x-other', '2']] }),
      ],
    })
    await billing.post('invoices', { json: invoice })
    expect(requests).toMatchObject([
      {
        body: JSON.stringify(invoice),
        headers: { 'x-changed': '1', 'x-other': '2', 'content-type': 'application/json' },
      },
    ])
  })

  it('beforeRequest may answer in place of the API', async () => {
    const { requests, billing } = await extended({ beforeRequest: [() => Response.json({ cached: true })] })
    expect(await billing.get('invoices/42').json()).toEqual({ cached: true })
    expect(requests).toEqual([])
  })

  it.each<[string, (response: Response) => Response | Promise<Response>]>([
    ['the response that it got', (response) => response],
    ['its clone', (response) => response.clone()],
    ['a new one around its body', (response) => new Response(response.body, response)],
    ['a new one made of its text', async (response) => new Response(await response.text(), response)],
  ])('afterResponse may give back %s', async (_name, change) => {
    const { billing } = await extended({ afterResponse: [({ response }) => change(response)] })
    const response = await billing.get('invoices/42')
    expect(response.headers.get('content-type')).toBe('application/json')
    expect(await response.json()).toMatchObject({ method: 'GET' })
  })

  it('afterResponse sees a Response of this Node', async () => {
    const seen: unknown[] = []
    const { billing } = await extended({ afterResponse: [({ response }) => void seen.push(response)] })
    await billing.get('invoices/42')
    expect(seen[0]).toBeInstanceOf(Response)
  })

  it('beforeError sees the reason why there is no token', async () => {
    const { requests, ...target } = await realSetting(undefined, { secret: 'wrong' })
    const seen: unknown[] = []
    const beforeError: NonNullable<NonNullable<Options['hooks']>['beforeError']> = [
      ({ error }) => (seen.push(error), error),
    ]
    const billing = createKy(target, target.baseUrl).extend({ hooks: { beforeError } })
    const error = await rejection(billing.get('invoices/42').json())
    expect(seen).toEqual([error])
    expect(error).toMatchObject({ code: 'ERR_TOKENWELL_TOKEN_REQUEST' })
    expect(requests).toEqual([])
  })
})
