/**
 * What an adapter costs the service that mounts it: a handler that says hello with and without the adapter, and one that makes
 * a warm call beside the same one with hand-written undici and a fixed header. Each is a process, and no two processes of the same
 * code are equally fast: in each generation all are started anew, take turns, and are compared with each other.
 * `FRAMEWORK='Fastify 5'` measures one framework, `GENERATIONS=30` tells more.
 */
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { Pool } from 'undici'
import { keepApart } from './apart.ts'
import { evenYoungSpace, untilCompiled } from './field.ts'
import { average, estimate, percentile, round, table, withError } from './figures.ts'
import { frameworks } from './framework-apps.ts'
import type { ServiceOptions, Usage } from './framework-service.ts'
import { publish } from './publish.ts'
import { startServers, type BenchServers } from './servers.ts'

const generations = Number(process.env['GENERATIONS'] ?? 6)
const turns = 16
const concurrency = 16
const batch = 200

const nest11 = new URL('../packages/nestjs-11/register.ts', import.meta.url).href

type HandlerName = ServiceOptions['handler']

/** What each handler is compared with. The noise is other processes of the same. */
const compared: readonly (readonly [name: string, HandlerName, bare: string])[] = [
  ['hello', 'hello', 'hello'],
  ['hello, adapter mounted', 'hello, adapter mounted', 'hello'],
  ['hello, a layer that does nothing', 'hello, a layer that does nothing', 'hello'],
  ['hello again (noise)', 'hello', 'hello'],
  ['request by undici', 'request by undici', 'request by undici'],
  ['request by upstream', 'request by upstream', 'request by undici'],
  ['request by undici again (noise)', 'request by undici', 'request by undici'],
  ['fetch by undici', 'fetch by undici', 'fetch by undici'],
  ['fetch by upstream', 'fetch by upstream', 'fetch by undici'],
]

class Service {
  readonly name: string
  /** CPU and time that a request took, turn by turn, and memory. */
  readonly us: number[] = []
  readonly elapsedUs: number[] = []
  readonly bytes: number[] = []
  readonly #child: ChildProcess
  #pool: Pool | undefined
  #path = '/'

  constructor(name: string, options: ServiceOptions) {
    this.name = name
    const env = { ...process.env, TOKENWELL_BENCH_SERVICE: JSON.stringify(options), NODE_NO_WARNINGS: '1' }
    const execArgv = [...evenYoungSpace, ...(options.framework.startsWith('Nest 11') ? ['--import', nest11] : [])]
    this.#child = fork(join(import.meta.dirname, 'framework-service.ts'), { env, execArgv })
    this.#child.on('exit', (code) => {
      if (code !== null) throw new Error(`the service of ${options.framework}, ${name}, ended with ${code}`)
    })
  }

  async start(): Promise<void> {
    const [url] = (await once(this.#child, 'message')) as [string]
    measured?.(this.#child.pid)
    const { origin, pathname } = new URL(url)
    this.#pool = new Pool(origin, { connections: concurrency })
    this.#path = pathname
  }

  async call(requests: number): Promise<void> {
    let left = requests
    const caller = async () => {
      while (left > 0) {
        left -= 1
        const answer = await this.#pool?.request({ path: this.#path, method: 'GET' })
        await answer?.body.dump()
        if (answer?.statusCode !== 200) throw new Error(`${this.name} answered ${answer?.statusCode}`)
      }
    }
    await Promise.all(Array.from({ length: concurrency }, caller))
  }

  async measure(): Promise<void> {
    const before = await this.#usage()
    const began = performance.now()
    await this.call(batch)
    const elapsedMs = performance.now() - began
    const after = await this.#usage()
    this.elapsedUs.push((elapsedMs * 1000) / batch)
    this.us.push((after.cpuUs - before.cpuUs) / batch)
    this.bytes.push((after.bytes - before.bytes) / batch)
  }

  stop(): void {
    void this.#pool?.destroy()
    this.#child.kill()
  }

  async #usage(): Promise<Usage> {
    this.#child.send('usage')
    const [usage] = (await once(this.#child, 'message')) as [Usage]
    return usage
  }
}

const measured = keepApart()

/** Starts all anew, and has them take turns in short batches, another one first each time: what the machine does besides meets all alike. */
async function generation(framework: string, { apiUrl, tokenEndpoint }: BenchServers): Promise<Map<string, Service>> {
  const services = compared.map(([name, handler]) => new Service(name, { framework, handler, apiUrl, tokenEndpoint }))
  for (const service of services) await service.start()
  for (const service of services) await service.call(untilCompiled)
  for (let turn = 0; turn < turns; turn++) {
    for (let index = 0; index < services.length; index++) {
      await services[(index + turn) % services.length]?.measure()
    }
  }
  for (const service of services) service.stop()
  return new Map(services.map((service) => [service.name, service]))
}

async function measure(framework: string, servers: BenchServers) {
  const all: Map<string, Service>[] = []
  while (all.length < generations) all.push(await generation(framework, servers))
  return compared.map(([name, , bareName]) => {
    const each = (whose: string, figure: 'us' | 'elapsedUs' | 'bytes') =>
      all.map((services) => percentile(services.get(whose)?.[figure] ?? [], 0.5))
    const [own, bare] = [each(name, 'us'), each(bareName, 'us')]
    const bytes = average(each(name, 'bytes'))
    const ratio = estimate(own.map((us, index) => (bare[index] ?? Number.NaN) / us))
    return {
      framework,
      name,
      perSecond: 1_000_000 / percentile(each(name, 'elapsedUs'), 0.5),
      cpuUs: percentile(own, 0.5),
      ratio: ratio.value,
      error: ratio.error,
      bytes,
      bytesMore: bytes - average(each(bareName, 'bytes')),
    }
  })
}

const servers = await startServers()
const rows = []
for (const framework of Object.keys(frameworks)) {
  if (!framework.startsWith(process.env['FRAMEWORK'] ?? '')) continue
  const found = await measure(framework, servers)
  rows.push(...found)
  const head = ['handler', 'requests per second', 'µs of CPU', 'ratio', 'bytes', 'bytes more']
  const lines = found.map(({ name, perSecond, cpuUs, ratio, error, bytes, bytesMore }) => [
    name,
    round(perSecond, 0),
    round(cpuUs, 1),
    withError({ value: ratio, error }),
    round(bytes, 0),
    round(bytesMore, 0),
  ])
  console.log(`${framework}\n${table([head, ...lines])}\n`)
}
publish({ generations, turns, apart: measured !== undefined, rows })
servers.stop()
