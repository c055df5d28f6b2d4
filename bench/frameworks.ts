/**
 * What an adapter costs the service that mounts it: a handler that says hello with and without the adapter, and one that makes
 * a warm call beside the same one with hand-written undici and a fixed header. This process is the service, so that CPU and
 * bytes are its alone; its callers and the API are processes of their own. Takes the name of a framework to measure it alone.
 */
import { once } from 'node:events'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Agent, fetch } from 'undici'
import { clientSecretBasic, createUpstreams } from '../packages/core/dist/index.js'
import { beCallers, startCallers, type Callers } from './callers.ts'
import { measuring } from './compare.ts'
import { percentile, round, table } from './figures.ts'
import { frameworks, type Framework, type Handler } from './framework-apps.ts'
import { startServers } from './servers.ts'

const rounds = Number(process.env['ROUNDS'] ?? 30)
// They compile.
const warmUpRounds = Math.ceil(rounds / 6)

interface Service {
  readonly name: string
  /** What it is compared with. */
  readonly bare: string
  readonly url: string
  /** CPU, time and memory that a request took, round by round. */
  readonly us: number[]
  readonly elapsedUs: number[]
  readonly bytes: number[]
}

/** Services take turns in short batches, another one first each time, so that what the machine does besides meets all alike. */
async function measure(services: readonly Service[], callers: Callers): Promise<void> {
  for (let turn = 0; turn < rounds; turn++) {
    for (let index = 0; index < services.length; index++) {
      const service = services[(index + turn) % services.length]
      if (service === undefined) continue
      globalThis.gc?.()
      const heap = process.memoryUsage().heapUsed
      const [cpu, start] = [process.cpuUsage(), performance.now()]
      const requests = await callers.call(service.url)
      const { user, system } = process.cpuUsage(cpu)
      if (turn < warmUpRounds) continue
      service.elapsedUs.push(((performance.now() - start) * 1000) / requests)
      service.us.push((user + system) / requests)
      service.bytes.push((process.memoryUsage().heapUsed - heap) / requests)
    }
  }
}

function report(services: readonly Service[]): string {
  const bytesOf = ({ bytes }: Service) => percentile(bytes, 0.5)
  const rows = services.map((service) => {
    const bare = services.find(({ name }) => name === service.bare) ?? service
    // Round by round, since a machine that others use is not as fast in one as in the next.
    const ratios = service.us.map((us, turn) => (bare.us[turn] ?? us) / us)
    return [
      service.name,
      // The lower quartile: whatever else the machine does only ever adds.
      round(1_000_000 / percentile(service.elapsedUs, 0.25), 0),
      round(percentile(service.us, 0.25), 1),
      round(percentile(ratios, 0.5), 3),
      `${round(percentile(ratios, 0.25), 3)} – ${round(percentile(ratios, 0.75), 3)}`,
      round(bytesOf(service), 0),
      round(bytesOf(service) - bytesOf(bare), 0),
    ]
  })
  return table([['handler', 'requests per second', 'µs of CPU', 'ratio', 'quartiles', 'bytes', 'bytes more'], ...rows])
}

async function main(): Promise<void> {
  const servers = await startServers()
  const callers = await startCallers()
  const { apiUrl: origin, tokenEndpoint } = servers
  const oauth = { tokenEndpoint, clientId: 'orders', clientAuth: clientSecretBasic('secret') }
  const upstreams = createUpstreams({ billing: { baseUrl: origin, oauth } })
  const { value } = await upstreams.billing.tokens.get()
  const headers = { authorization: `Bearer ${value}` }
  const dispatcher = new Agent()

  const hello: Handler = () => ({ hello: 'world' })
  const handlers: Readonly<Record<string, readonly [bare: string, Handler, ...(readonly string[])]>> = {
    hello: ['hello', hello],
    'hello, adapter mounted': ['hello', hello, 'adapter'],
    'hello, a layer that does nothing': ['hello', hello, 'nothing'],
    'hello again (noise)': ['hello', hello],
    'request by undici': [
      'request by undici',
      async () => (await dispatcher.request({ origin, path: '/x', method: 'GET', headers })).body.json(),
    ],
    'request by undici again (noise)': [
      'request by undici',
      async () => (await dispatcher.request({ origin, path: '/x', method: 'GET', headers })).body.json(),
    ],
    'request by upstream': [
      'request by undici',
      async ({ upstreams: bound }) => (await bound?.billing.request('/x'))?.body.json(),
      'adapter',
    ],
    'fetch by undici': ['fetch by undici', async () => (await fetch(`${origin}/x`, { dispatcher, headers })).json()],
    'fetch by upstream': [
      'fetch by undici',
      async ({ upstreams: bound }) => (await bound?.billing.fetch('/x'))?.json(),
      'adapter',
    ],
  }

  const running: Server[] = []
  const start = async (framework: Framework, name: string): Promise<Service> => {
    const [bare = name, handler = hello, layer] = handlers[name] ?? []
    const server = await framework(
      handler,
      layer === 'adapter' ? upstreams : layer === 'nothing' ? 'nothing' : undefined,
    )
    await once(server.listen(0, '127.0.0.1'), 'listening')
    running.push(server)
    const { port } = server.address() as AddressInfo
    return { name, bare, url: `http://127.0.0.1:${port}`, us: [], elapsedUs: [], bytes: [] }
  }
  const only = process.env['FRAMEWORK'] ?? ''
  for (const [name, framework] of Object.entries(frameworks)) {
    if (!name.startsWith(only)) continue
    const services = await Promise.all(Object.keys(handlers).map((handler) => start(framework, handler)))
    await measure(services, callers)
    console.log(`${name}\n${report(services)}\n`)
  }
  for (const server of running) {
    server.closeAllConnections()
    server.close()
  }
  await Promise.all([upstreams.close(), dispatcher.close()])
  callers.stop()
  servers.stop()
}

if (process.env['TOKENWELL_BENCH_CALLERS'] === '1') beCallers()
else await measuring(import.meta.filename, main)
