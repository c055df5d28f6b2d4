import { ClientError, GraphQLClient, type RequestMiddleware } from 'graphql-request'
import { describe, expect, it } from 'vitest'
import {
  createGraphqlClient,
  createInvoice,
  readInvoice,
  type InvoiceCreated,
  type InvoiceRead,
} from '../src/graphql-request.ts'
import { serveGraphql } from '../src/servers/graphql-server.ts'
import { itGivesItsHeaders } from './answers.ts'
import { describeCalls, type CallOptions } from './calls.ts'
import { realSetting, rejection, type Target } from './support.ts'

const variables = { customer: 'Zoë €', amount: 12 }

const clientFor = (target: Target): GraphQLClient => createGraphqlClient(target, target.baseUrl)

const request = <T>(client: GraphQLClient, document: string, values: object, options: CallOptions): Promise<T> =>
  client.request<T>({
    document,
    variables: values,
    requestHeaders: options.headers ?? {},
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  })

describeCalls({
  serve: serveGraphql,
  calls: {
    'a mutation by POST': {
      method: 'POST',
      path: '/graphql',
      body: JSON.stringify({ query: createInvoice, variables, operationName: 'CreateInvoice' }),
      result: { createInvoice: { id: '43', customer: 'Zoë €' } },
      make: (target, options) => request<InvoiceCreated>(clientFor(target), createInvoice, variables, options),
    },
    'a query by GET': {
      method: 'GET',
      path: /^\/graphql\?query=query.+&variables=.+42.+&operationName=ReadInvoice$/,
      result: { invoice: { id: '42' } },
      make: ({ fetch, baseUrl }, options) => {
        const client = new GraphQLClient(`${baseUrl}/graphql`, { fetch, method: 'GET' })
        return request<InvoiceRead>(client, readInvoice, { id: '42' }, options)
      },
    },
  },
  expectAborted: (error) => expect(error).toMatchObject({ name: 'AbortError' }),
  expectForbidden: (error) => {
    expect(error).toBeInstanceOf(ClientError)
    expect(error).toMatchObject({ response: { status: 403, body: '{"error":"insufficient_scope"}' } })
  },
})

itGivesItsHeaders(serveGraphql, async (target) => {
  const { headers } = await clientFor(target).rawRequest<InvoiceRead>(readInvoice, { id: '42' })
  return headers
})

it('rejects with the error for the lack of a token itself', async () => {
  const target = await realSetting(serveGraphql, { secret: 'wrong' })
  const error = await rejection(clientFor(target).request(readInvoice, { id: '42' }))
  expect(error).toMatchObject({ code: 'ERR_TOKENWELL_TOKEN_REQUEST' })
})

it('gives an error of GraphQL as a ClientError', async () => {
  const target = await realSetting(serveGraphql)
  const error = await rejection(clientFor(target).request('{ nothing }'))
  expect(error).toBeInstanceOf(ClientError)
  expect(error).toMatchObject({ response: { status: 400, errors: [{ message: /nothing/ }] } })
})

describe('middleware', () => {
  it('of the request may change it, and that of the response sees what came', async () => {
    const { requests, ...target } = await realSetting(serveGraphql)
    const seen: unknown[] = []
    const requestMiddleware: RequestMiddleware = (given) => ({
      ...given,
      headers: [...new Headers(given.headers), ['x-changed', '1']],
    })
    const client = new GraphQLClient(`${target.baseUrl}/graphql`, {
      fetch: target.fetch,
      requestMiddleware,
      responseMiddleware: (response) => void seen.push(response),
    })
    await client.request(readInvoice, { id: '42' })
    expect(requests).toMatchObject([{ headers: { 'x-changed': '1' } }])
    expect(seen).toMatchObject([{ status: 200, data: { invoice: { id: '42' } } }])
  })
})
