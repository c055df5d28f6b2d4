import type { RequestListener } from 'node:http'
import { Code, ConnectError, createClient, type Client, type Interceptor, type ServiceImpl } from '@connectrpc/connect'
import { connectNodeAdapter } from '@connectrpc/connect-node'
import { createConnectTransport, createGrpcWebTransport } from '@connectrpc/connect-web'
import { describe, expect, it } from 'vitest'
import { Billing } from '../src/billing-service.ts'
import { createConnectClient, type Protocol } from '../src/connect.ts'
import { serveConnect } from '../src/servers/connect-server.ts'
import { describeCalls, type CallOptions } from './calls.ts'
import { realSetting, rejection, scriptedSetting, type Target } from './support.ts'

const value = 'Zoë €'
const bytes = Buffer.from(value)
// A StringValue in binary: its one field, and the length of that.
const binary = Buffer.from([0x0a, bytes.length, ...bytes])
// Both protocols put five bytes before a message where more than one may come: a flag and the length.
const envelope = (message: Buffer): Buffer => Buffer.concat([Buffer.from([0, 0, 0, 0, message.length]), message])
const json = Buffer.from(JSON.stringify(value))

const bodies: Readonly<Record<Protocol, { unary: Buffer; streaming: Buffer }>> = {
  connect: { unary: json, streaming: envelope(json) },
  'grpc-web': { unary: envelope(binary), streaming: envelope(binary) },
}

async function listed(client: Client<typeof Billing>, options: CallOptions = {}): Promise<string[]> {
  const values: string[] = []
  for await (const message of client.listInvoices({ value }, options)) values.push(message.value)
  return values
}

/** A server of one method. */
function serving(listInvoices: NonNullable<ServiceImpl<typeof Billing>['listInvoices']>): RequestListener {
  return connectNodeAdapter({ routes: ({ service }) => void service(Billing, { listInvoices }) })
}

describe.each<Protocol>(['connect', 'grpc-web'])('%s', (protocol) => {
  const clientFor = (target: Target) => createConnectClient(target, target.baseUrl, protocol)

  describeCalls({
    serve: serveConnect,
    calls: {
      ...(protocol === 'connect' && {
        'a read by GET': {
          method: 'GET',
          path: /^\/billing\.v1\.Billing\/ReadInvoice\?.*message=%2242%22/,
          result: { value: 'invoice 42' },
          make: (target, options) => clientFor(target).readInvoice({ value: '42' }, options),
        },
      }),
      'a unary call': {
        method: 'POST',
        path: '/billing.v1.Billing/CreateInvoice',
        body: bodies[protocol].unary,
        result: { value: `invoice for ${value}` },
        make: (target, options) => clientFor(target).createInvoice({ value }, options),
      },
      'a call for a stream': {
        method: 'POST',
        path: '/billing.v1.Billing/ListInvoices',
        body: bodies[protocol].streaming,
        result: [1, 2, 3].map((id) => `${value} invoice ${id}`),
        make: (target, options) => listed(clientFor(target), options),
      },
    },
    expectAborted: (error) => {
      expect(error).toBeInstanceOf(ConnectError)
      expect(error).toMatchObject({ code: Code.Canceled })
    },
    expectForbidden: (error) => {
      expect(error).toBeInstanceOf(ConnectError)
      expect(error).toMatchObject({ code: Code.PermissionDenied })
    },
  })

  it('an error for the lack of a token is unknown to Connect, and has the reason as its cause', async () => {
    const target = await realSetting(serveConnect, { secret: 'wrong' })
    const error = await rejection(clientFor(target).createInvoice({ value }))
    expect(error).toBeInstanceOf(ConnectError)
    expect(error).toMatchObject({ code: Code.Unknown, cause: { code: 'ERR_TOKENWELL_TOKEN_REQUEST' } })
  })

  it('an error of the server keeps its code', async () => {
    const target = await realSetting(serveConnect)
    const error = await rejection(clientFor(target).readInvoice({ value: '' }))
    expect(error).toMatchObject({ code: Code.InvalidArgument, rawMessage: 'an invoice has an id' })
  })

  it('a deadline ends the call, and leaves no connection', async () => {
    const { api, ...target } = await scriptedSetting({ hang: true })
    await target.upstream.tokens.get()
    const error = await rejection(clientFor(target).createInvoice({ value }, { timeoutMs: 100 }))
    expect(error).toMatchObject({ code: Code.DeadlineExceeded })
    await expect.poll(() => api.openConnectionCount).toBe(0)
  })

  it('messages of a stream come one by one', async () => {
    const read = Promise.withResolvers<void>()
    const target = await realSetting(
      serving(async function* () {
        yield { value: 'first' }
        await read.promise
        yield { value: 'second' }
      }),
    )
    const values: string[] = []
    for await (const message of clientFor(target).listInvoices({ value })) {
      values.push(message.value)
      read.resolve()
    }
    expect(values).toEqual(['first', 'second'])
  })

  it('a stream ends when the caller aborts it, at the server too', async () => {
    const ended = Promise.withResolvers<void>()
    const target = await realSetting(
      serving(async function* (_request, { signal }) {
        yield { value: 'first' }
        signal.addEventListener('abort', () => ended.resolve())
        await ended.promise
      }),
    )
    const controller = new AbortController()
    const reading = async (): Promise<void> => {
      for await (const _ of clientFor(target).listInvoices({ value }, { signal: controller.signal })) controller.abort()
    }
    expect(await rejection(reading())).toMatchObject({ code: Code.Canceled })
    await ended.promise
  })

  const intercepted = (target: Target, interceptor: Interceptor): Client<typeof Billing> => {
    const { fetch, baseUrl } = target
    const create = protocol === 'connect' ? createConnectTransport : createGrpcWebTransport
    return createClient(Billing, create({ fetch, baseUrl, interceptors: [interceptor] }))
  }

  it('interceptors may change the headers of a request', async () => {
    const { requests, ...target } = await realSetting(serveConnect)
    const client = intercepted(target, (next) => (request) => {
      request.header.set('x-changed', '1')
      return next(request)
    })
    await client.createInvoice({ value })
    await listed(client)
    expect(requests.map(({ headers }) => headers['x-changed'])).toEqual(['1', '1'])
  })

  it('interceptors see the headers of an answer, which are Headers of this Node', async () => {
    const target = await realSetting(serveConnect)
    const seen: Headers[] = []
    const client = intercepted(target, (next) => async (request) => {
      const response = await next(request)
      seen.push(response.header)
      return response
    })
    await client.createInvoice({ value })
    await listed(client)
    const types = {
      connect: ['application/json', 'application/connect+json'],
      'grpc-web': ['application/grpc-web+proto', 'application/grpc-web+proto'],
    }
    expect(seen.map((headers) => headers.get('content-type'))).toEqual(types[protocol])
    for (const headers of seen) expect(headers).toBeInstanceOf(Headers)
  })
})
