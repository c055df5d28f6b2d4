import axios, { AxiosError, isCancel, type AxiosProgressEvent, type AxiosResponse } from 'axios'
import { describe, expect, it } from 'vitest'
import { createAxios } from '../src/axios.ts'
import type { Answer } from '../src/billing.ts'
import { itGivesItsForm } from './answers.ts'
import { describeCalls } from './calls.ts'
import { describeDownload, itUploads } from './streams.ts'
import { everyForm, expectForm, formWithFile, realSetting, rejection, scriptedSetting } from './support.ts'

const invoice = { customer: 'Zoë €', amount: 12 }
const dataOf = async <T>(answered: Promise<AxiosResponse<T>>): Promise<T> => (await answered).data

describeCalls({
  calls: {
    'a GET': {
      method: 'GET',
      path: '/v1/invoices/42',
      result: { method: 'GET', path: '/v1/invoices/42' },
      make: (target, options) => dataOf(createAxios(target, target.baseUrl).get<Answer>('/invoices/42', options)),
    },
    'a POST': {
      method: 'POST',
      path: '/v1/invoices',
      body: JSON.stringify(invoice),
      result: { method: 'POST', body: JSON.stringify(invoice) },
      make: (target, options) =>
        dataOf(createAxios(target, target.baseUrl).post<Answer>('/invoices', invoice, options)),
    },
  },
  expectAborted: (error) => {
    expect(isCancel(error)).toBe(true)
    expect(error).toMatchObject({ code: AxiosError.ERR_CANCELED })
  },
  expectForbidden: (error) => {
    expect(error).toBeInstanceOf(AxiosError)
    expect(error).toMatchObject({ response: { status: 403, data: { error: 'insufficient_scope' } } })
  },
})

itGivesItsForm((target) =>
  dataOf(createAxios(target, target.baseUrl).get<unknown>('/form', { responseType: 'formdata' })),
)

itUploads((target, body) => createAxios(target, target.baseUrl).post('/import', body))

describeDownload({
  start: (target, options) =>
    dataOf(createAxios(target, target.baseUrl).get('/export', { ...options, responseType: 'stream' })),
  expectAborted: (error) => expect(isCancel(error)).toBe(true),
})

it('an error for the lack of a token has its code and status, itself as the cause, and no response', async () => {
  const target = await realSetting(undefined, { secret: 'wrong-secret' })
  const error = await rejection(createAxios(target, target.baseUrl).get('/invoices/42'))
  expect(error).toBeInstanceOf(AxiosError)
  expect(error).toMatchObject({ code: 'ERR_TOKENWELL_TOKEN_REQUEST', status: 502, cause: { status: 502 } })
  expect(error).not.toHaveProperty('response')
  expect(JSON.stringify(error)).not.toContain('wrong-secret')
})

it.each(['text', 'json', 'arraybuffer', 'blob'] as const)('an answer is read as %s', async (responseType) => {
  const target = await scriptedSetting({ headers: { 'content-type': 'application/json' }, body: '{"a":1}' })
  const { data } = await createAxios(target, target.baseUrl).get<unknown>('/x', { responseType })
  const expected = { text: '{"a":1}', json: { a: 1 }, arraybuffer: expect.any(ArrayBuffer), blob: expect.any(Blob) }
  expect(data).toEqual(expected[responseType])
})

it('tells how far an answer has come', async () => {
  const body = 'x'.repeat(100_000)
  const target = await scriptedSetting({ body })
  const told: number[] = []
  const onDownloadProgress = ({ loaded }: AxiosProgressEvent): void => void told.push(loaded)
  const { data } = await createAxios(target, target.baseUrl).get<string>('/export', { onDownloadProgress })
  expect(data).toBe(body)
  expect(told.at(-1)).toBe(body.length)
})

it('tells how far a body has gone', async () => {
  const { requests, ...target } = await realSetting()
  const told: number[] = []
  const onUploadProgress = ({ loaded }: AxiosProgressEvent): void => void told.push(loaded)
  await createAxios(target, target.baseUrl).post('/invoices', invoice, { onUploadProgress })
  const body = JSON.stringify(invoice)
  expect(requests).toMatchObject([{ body, headers: { 'content-type': 'application/json' } }])
  expect(told.at(-1)).toBe(Buffer.byteLength(body))
})

it('an answer that is longer than allowed is refused', async () => {
  const target = await scriptedSetting({ endless: true })
  const error = await rejection(createAxios(target, target.baseUrl).get('/export', { maxContentLength: 1000 }))
  expect(error).toMatchObject({ code: AxiosError.ERR_BAD_RESPONSE })
})

it('a call ends with the time-out of axios, and leaves no connection', async () => {
  const { api, ...target } = await scriptedSetting({ hang: true })
  await target.upstream.tokens.get()
  const error = await rejection(createAxios(target, target.baseUrl).get('/invoices/42', { timeout: 100 }))
  expect(error).toMatchObject({ code: AxiosError.ETIMEDOUT })
  await expect.poll(() => api.openConnectionCount).toBe(0)
})

it.each<[string, FormData | object]>([
  ['a FormData', formWithFile()],
  ['an object', Object.fromEntries(formWithFile())],
])('a form made of %s is sent with its boundary', async (_name, form) => {
  const { requests, ...target } = await realSetting()
  await createAxios(target, target.baseUrl).postForm('/import', form)
  expectForm(requests)
})

describe('interceptors', () => {
  it('of the request may change it, and those of the response what came', async () => {
    const { requests, ...target } = await realSetting()
    const billing = createAxios(target, target.baseUrl)
    billing.interceptors.request.use((config) => {
      config.headers.set('x-changed', '1')
      return config
    })
    billing.interceptors.response.use((response) => ({ ...response, data: { changed: response.data as Answer } }))
    const { data, headers } = await billing.post<unknown>('/invoices', invoice)
    expect(data).toMatchObject({ changed: { method: 'POST' } })
    expect(headers['content-type']).toBe('application/json')
    expect(requests).toMatchObject([{ headers: { 'x-changed': '1' }, body: JSON.stringify(invoice) }])
  })

  it('see the reason why there is no token, and may end the call with another error', async () => {
    const target = await realSetting(undefined, { secret: 'wrong' })
    const billing = createAxios(target, target.baseUrl)
    billing.interceptors.response.use(undefined, (error: AxiosError) => {
      throw new Error(`no token: ${error.code}`)
    })
    expect(await rejection(billing.get('/invoices/42'))).toMatchObject({
      message: 'no token: ERR_TOKENWELL_TOKEN_REQUEST',
    })
  })

  it('see no token anywhere', async () => {
    const target = await realSetting()
    const seen: unknown[] = []
    const billing = createAxios(target, target.baseUrl)
    billing.interceptors.response.use((response) => (seen.push(response), response))
    await billing.get('/invoices/42')
    expect(seen).toHaveLength(1)
    expect(everyForm(seen)).not.toContain((await target.upstream.tokens.get()).value)
  })
})

it('an instance for one upstream leaves the library itself as it was', async () => {
  const target = await realSetting()
  createAxios(target, target.baseUrl)
  expect(axios.defaults.env?.fetch).toBeUndefined()
})
