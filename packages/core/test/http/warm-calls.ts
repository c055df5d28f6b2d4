/** Not a test: a process of `allocations.test.ts`, which prints how many bytes a warm call allocates beyond one of bare undici. */
import { EventEmitter } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { fetch, type Dispatcher } from 'undici'
import { clientSecretBasic, createUpstreams } from '../../src/index.ts'
import { InstantServer, tokenAnswer } from '../instant-server.ts'

const token = 'x'.repeat(1000)

const calls = 200
const batches = 5
const answer = tokenAnswer(token)
const api = new InstantServer(() => answer)
const upstreams = createUpstreams({
  upstream: {
    baseUrl: 'https://api.example/v1',
    dispatcher: api,
    oauth: {
      tokenEndpoint: 'https://as.example/token',
      clientId: 'orders',
      clientAuth: clientSecretBasic('s3cret'),
      dispatcher: api,
    },
  },
})
const { upstream } = upstreams
await upstream.tokens.get()
const authorization = `Bearer ${token}`
const options = { origin: 'https://api.example', path: '/v1/x', method: 'GET' } as const

const dump = async ({ body }: Dispatcher.ResponseData) => body.dump()
const dispatched = (dispatcher: Dispatcher, headers?: Record<string, string>) => () => {
  const { promise, resolve } = Promise.withResolvers<void>()
  dispatcher.dispatch(
    { ...options, ...(headers === undefined ? {} : { headers }) },
    {
      onRequestStart() {},
      onResponseStart() {},
      onResponseData() {},
      onResponseEnd() {
        resolve()
      },
      onResponseError() {},
    },
  )
  return promise
}

const contextOf = upstreams.requestContext()
const inbound = { headers: { host: 'orders.example', traceparent: '00-a-b-01' } } as unknown as IncomingMessage
const responding = () => new EventEmitter() as ServerResponse
const bareCall = async () => dump(await api.request({ ...options, headers: { authorization } }))

const servedBare = async () => {
  responding()
  await bareCall()
}

type Call = () => Promise<unknown>
const pairs: Record<string, readonly [bare: Call, own: Call]> = {
  request: [bareCall, async () => dump(await upstream.request('/x'))],
  dispatcher: [dispatched(api, { authorization }), dispatched(upstream.dispatcher)],
  fetch: [
    async () => (await fetch('https://api.example/v1/x', { headers: { authorization }, dispatcher: api })).text(),
    async () => (await upstream.fetch('/x')).text(),
  ],
  // For an inbound request.
  with: [servedBare, async () => dump(await upstreams.with(contextOf(inbound, responding())).upstream.request('/x'))],
}

async function bytesPerCall(call: Call): Promise<number> {
  const batch: number[] = []
  for (let turn = 0; turn < batches; turn++) {
    globalThis.gc?.()
    const before = process.memoryUsage().heapUsed
    for (let index = 0; index < calls; index++) await call()
    batch.push((process.memoryUsage().heapUsed - before) / calls)
  }
  return batch.toSorted((one, other) => one - other)[(batches - 1) / 2] ?? Number.NaN
}

const more: Record<string, number> = {}
for (const [name, [bare, own]] of Object.entries(pairs)) {
  const ofBare = await bytesPerCall(bare)
  more[name] = Math.round((await bytesPerCall(own)) - ofBare)
}
console.log(JSON.stringify(more))
await upstreams.close()
