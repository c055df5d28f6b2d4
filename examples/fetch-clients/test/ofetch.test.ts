import { FetchError } from 'ofetch'
import { describe, expect, it } from 'vitest'
import type { Answer } from '../src/billing.ts'
import { createOfetch } from '../src/ofetch.ts'
import { itGivesItsForm, itGivesItsResponse } from './answers.ts'
import { describeCalls } from './calls.ts'
import { describeDownload, itUploads } from './streams.ts'
import { expectForm, formWithFile, realSetting, rejection, scriptedSetting, tokenwellErrorIn } from './support.ts'

const invoice = { customer: 'Zoë €', amount: 12 }

describeCalls({
  calls: {
    'a GET': {
      method: 'GET',
      path: '/v1/invoices/42',
      result: { method: 'GET', path: '/v1/invoices/42' },
      make: (target, options) => createOfetch(target)<Answer>('/invoices/42', options),
    },
    'a POST': {
      method: 'POST',
      path: '/v1/invoices',
      body: JSON.stringify(invoice),
      result: { method: 'POST', body: JSON.stringify(invoice) },
      make: (target, options) =>
        createOfetch(target)<Answer>('/invoices', { ...options, method: 'POST', body: invoice }),
    },
  },
  expectAborted: (error) => {
    expect(error).toBeInstanceOf(FetchError)
    expect(error).toMatchObject({ cause: { name: 'AbortError' } })
  },
  expectForbidden: (error) => {
    expect(error).toBeInstanceOf(FetchError)
    expect(error).toMatchObject({ statusCode: 403, data: { error: 'insufficient_scope' } })
  },
})

itGivesItsResponse((target) => createOfetch(target).raw<Answer>('/invoices/42'))

itGivesItsForm(async (target) => (await createOfetch(target).raw('/form', { responseType: 'stream' })).formData())

itUploads((target, body) => createOfetch(target)('/import', { method: 'POST', body }))

describeDownload({
  start: (target, options) => createOfetch(target)('/export', { ...options, responseType: 'stream' }),
  expectAborted: (error) => expect(error).toMatchObject({ name: 'AbortError' }),
})

it('an error for the lack of a token has no status, and the reason as its cause', async () => {
  const target = await realSetting(undefined, { secret: 'wrong' })
  const error = await rejection(createOfetch(target)('/invoices/42'))
  expect(error).toBeInstanceOf(FetchError)
  expect(error).toMatchObject({ statusCode: undefined, cause: { code: 'ERR_TOKENWELL_TOKEN_REQUEST' } })
})

it('a form is sent again, with the same boundary, when the token was refused', async () => {
  const { requests, api, ...target } = await realSetting()
  const billing = createOfetch(target)
  await billing('/invoices/42')
  api.revokeAll()
  await billing('/import', { method: 'POST', body: formWithFile() })
  const [, refused, accepted] = requests
  expect(accepted?.body).toBe(refused?.body)
  expectForm(requests.slice(-1))
})

it('a retry of its own uses the token again', async () => {
  const { api, ...target } = await scriptedSetting({ status: 503 }, { body: { ok: true } })
  expect(await createOfetch(target)('/invoices/42')).toEqual({ ok: true })
  expect(new Set(api.requests.map(({ headers }) => headers.authorization)).size).toBe(1)
  expect(api.requests).toHaveLength(2)
  expect(target.tokenRequests()).toBe(1)
})

it('its time-out ends a call, and leaves no connection', async () => {
  const { api, ...target } = await scriptedSetting({ hang: true })
  await target.upstream.tokens.get()
  const error = await rejection(createOfetch(target)('/invoices/42', { timeout: 100, retry: 0 }))
  expect(error).toMatchObject({ cause: { name: 'TimeoutError' } })
  await expect.poll(() => api.openConnectionCount).toBe(0)
})

describe('hooks', () => {
  it('onRequest may change where a call goes, its headers and its body', async () => {
    const { requests, ...target } = await realSetting()
    const billing = createOfetch(target).create({
      onRequest: ({ options }) => {
        options.headers.set('x-changed', '1')
        options.query = { page: 2 }
      },
    })
    await billing('/invoices', { method: 'POST', body: invoice })
    expect(requests).toMatchObject([
      { path: '/v1/invoices?page=2', headers: { 'x-changed': '1' }, body: JSON.stringify(invoice) },
    ])
  })

  it('onResponse may change what is made of an answer', async () => {
    const target = await realSetting()
    const billing = createOfetch(target).create({
      onResponse: ({ response }) => {
        response._data = { changed: response.status }
      },
    })
    expect(await billing('/invoices/42')).toEqual({ changed: 200 })
  })

  it('onResponse sees a Response of this Node', async () => {
    const target = await realSetting()
    const seen: unknown[] = []
    const billing = createOfetch(target).create({ onResponse: ({ response }) => void seen.push(response) })
    await billing('/invoices/42')
    expect(seen[0]).toBeInstanceOf(Response)
  })

  it('onRequestError sees the reason why there is no token', async () => {
    const { requests, ...target } = await realSetting(undefined, { secret: 'wrong' })
    const seen: unknown[] = []
    const billing = createOfetch(target).create({ retry: 0, onRequestError: ({ error }) => void seen.push(error) })
    const error = await rejection(billing('/invoices/42'))
    expect(seen).toEqual([tokenwellErrorIn(error)])
    expect(requests).toEqual([])
  })

  it('onResponseError sees a refusal of the API', async () => {
    const target = await realSetting(undefined, { scope: 'profile:read' })
    const seen: number[] = []
    const billing = createOfetch(target).create({ onResponseError: ({ response }) => void seen.push(response.status) })
    await rejection(billing('/invoices/42'))
    expect(seen).toEqual([403])
  })
})
