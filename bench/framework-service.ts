/** One framework with one handler, in a process of its own: what it costs is its alone. Run by frameworks.ts. */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { getHeapStatistics } from 'node:v8'
import { Agent, fetch } from 'undici'
import { clientSecretBasic, createUpstreams } from '../packages/core/dist/index.js'
import { frameworks, type Handler, type Mounted } from './framework-apps.ts'

/** What a service is started with. */
export interface ServiceOptions {
  readonly framework: string
  readonly handler: keyof typeof layers
  readonly apiUrl: string
  readonly tokenEndpoint: string
}

/** What its process has used since it began. */
export interface Usage {
  readonly cpuUs: number
  readonly bytes: number
}

/** What is mounted, by handler. */
const layers = {
  hello: undefined,
  'hello, adapter mounted': 'adapter',
  'hello, a layer that does nothing': 'nothing',
  'request by undici': undefined,
  'request by upstream': 'adapter',
  'fetch by undici': undefined,
  'fetch by upstream': 'adapter',
} as const

async function serve({ framework, handler, apiUrl, tokenEndpoint }: ServiceOptions): Promise<void> {
  const oauth = { tokenEndpoint, clientId: 'orders', clientAuth: clientSecretBasic('secret') }
  const upstreams = createUpstreams({ billing: { baseUrl: apiUrl, oauth } })
  const { value } = await upstreams.billing.tokens.get()
  const headers = { authorization: `Bearer ${value}` }
  const dispatcher = new Agent()
  const hello: Handler = () => ({ hello: 'world' })
  const handlers: Readonly<Record<ServiceOptions['handler'], Handler>> = {
    hello,
    'hello, adapter mounted': hello,
    'hello, a layer that does nothing': hello,
    'request by undici': async () =>
      (await dispatcher.request({ origin: apiUrl, path: '/x', method: 'GET', headers })).body.json(),
    'request by upstream': async ({ upstreams: bound }) => (await bound?.billing.request('/x'))?.body.json(),
    'fetch by undici': async () => (await fetch(`${apiUrl}/x`, { dispatcher, headers })).json(),
    'fetch by upstream': async ({ upstreams: bound }) => (await bound?.billing.fetch('/x'))?.json(),
  }
  const layer = layers[handler]
  const mounted: Mounted = layer === 'adapter' ? upstreams : layer
  const server = await frameworks[framework]?.(handlers[handler], mounted)
  if (server === undefined) throw new Error(`no framework ${framework}`)
  await once(server.listen(0, '127.0.0.1'), 'listening')
  process.on('message', () => {
    const { user, system } = process.cpuUsage()
    // What was ever allocated, which no collection changes.
    const { total_allocated_bytes: bytes } = getHeapStatistics() as { total_allocated_bytes?: number }
    process.send?.({ cpuUs: user + system, bytes: bytes ?? Number.NaN } satisfies Usage)
  })
  process.on('disconnect', () => process.exit())
  process.send?.(`http://127.0.0.1:${(server.address() as AddressInfo).port}/hello`)
}

const given = process.env['TOKENWELL_BENCH_SERVICE']
if (given !== undefined) await serve(JSON.parse(given) as ServiceOptions)
