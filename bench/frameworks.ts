/**
 * What an adapter costs the service that mounts it: a handler that says hello with and without the adapter, and one that makes
 * a warm call beside the same one with hand-written undici and a fixed header. Each is a process, and more than one, since two
 * processes of the same code are not equally fast. `FRAMEWORK='Fastify 5'` measures one framework, `ROUNDS=40` longer.
 */
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { Pool } from 'undici'
import { evenYoungSpace } from './field.ts'
import { percentile, round, table } from './figures.ts'
import { frameworks } from './framework-apps.ts'
import type { ServiceOptions, Usage } from './framework-service.ts'
import { publish } from './publish.ts'
import { startServers, type BenchServers } from './servers.ts'

const rounds = Number(process.env['ROUNDS'] ?? 16)
const copies = 3
const concurrency = 16
const batch = 400
// Compiles what is hot, and optimizes it.
const warmUp = 4000

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
  /** CPU and time that a request took, round by round, and memory. */
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

const average = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length

/** One handler: its processes together, round by round. */
function together(services: readonly Service[], name: string) {
  const mine = services.filter((service) => service.name === name)
  const each = (figure: 'us' | 'elapsedUs' | 'bytes') =>
    Array.from({ length: rounds }, (_, turn) => average(mine.map((service) => service[figure][turn] ?? Number.NaN)))
  return { us: each('us'), elapsedUs: each('elapsedUs'), bytes: average(each('bytes')) }
}

async function measure(framework: string, { apiUrl, tokenEndpoint }: BenchServers) {
  const services = Array.from({ length: copies }, () =>
    compared.map(([name, handler]) => new Service(name, { framework, handler, apiUrl, tokenEndpoint })),
  ).flat()
  for (const service of services) await service.start()
  for (const service of services) await service.call(warmUp)
  // They take turns in short batches, another one first each time, so that what the machine does besides meets all alike.
  for (let turn = 0; turn < rounds; turn++) {
    for (let index = 0; index < services.length; index++) {
      await services[(index + turn) % services.length]?.measure()
    }
  }
  for (const service of services) service.stop()
  return compared.map(([name, , bareName]) => {
    const [own, bare] = [together(services, name), together(services, bareName)]
    // Round by round, since a machine that others use is not as fast in one as in the next.
    const ratios = own.us.map((us, turn) => (bare.us[turn] ?? us) / us)
    return {
      framework,
      name,
      perSecond: 1_000_000 / percentile(own.elapsedUs, 0.5),
      cpuUs: percentile(own.us, 0.5),
      ratio: percentile(ratios, 0.5),
      quartiles: [percentile(ratios, 0.25), percentile(ratios, 0.75)] as const,
      bytes: own.bytes,
      bytesMore: own.bytes - bare.bytes,
    }
  })
}

const servers = await startServers()
const rows = []
for (const framework of Object.keys(frameworks)) {
  if (!framework.startsWith(process.env['FRAMEWORK'] ?? '')) continue
  const found = await measure(framework, servers)
  rows.push(...found)
  const head = ['handler', 'requests per second', 'µs of CPU', 'ratio', 'quartiles', 'bytes', 'bytes more']
  const lines = found.map(({ name, perSecond, cpuUs, ratio, quartiles: [low, high], bytes, bytesMore }) => [
    name,
    round(perSecond, 0),
    round(cpuUs, 1),
    round(ratio, 3),
    `${round(low, 3)} – ${round(high, 3)}`,
    round(bytes, 0),
    round(bytesMore, 0),
  ])
  console.log(`${framework}\n${table([head, ...lines])}\n`)
}
publish({ rounds, copies, rows })
servers.stop()
