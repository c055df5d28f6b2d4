/**
 * What our three ways cost beside the same client with a fixed header. Two processes of the same code differ by more than that,
 * and one that others use the machine of from one second to the next by more yet. So there are generations: in each, all are started
 * anew and take turns in short batches, and each is compared with its client of the same generation. `GENERATIONS=30` tells more.
 */
import { keepApart } from './apart.ts'
import { limit, noise, Runner, untilCompiled } from './field.ts'
import { estimate, percentile, round, table, withError } from './figures.ts'
import { publish, quick } from './publish.ts'
import { startServers } from './servers.ts'

const generations = Number(process.env['GENERATIONS'] ?? (quick ? 2 : 12))
const turns = quick ? 2 : 40
// V8 does not inline the same for one call at a time and for many.
const settling = quick ? 100 : 5000
const files = [
  limit,
  noise,
  'request-least',
  'tokenwell-request',
  'bare-dispatch',
  'tokenwell-dispatcher',
  'bare-undici-fetch',
  'tokenwell-fetch',
]
const settings = [
  { concurrency: 1, calls: 64 },
  { concurrency: 16, calls: 256 },
  { concurrency: 64, calls: 256 },
]

const measured = keepApart()
const servers = await startServers()
/** Microseconds of CPU per call, of each generation. */
const us = settings.map(() => new Map<string, number[]>(files.map((file) => [file, []])))
const names = new Map<string, { readonly name: string; readonly bare: string }>()

for (let generation = 0; generation < generations; generation++) {
  const runners: Runner[] = []
  for (let index = 0; index < files.length; index++) {
    const runner = new Runner(files[(index + generation) % files.length] ?? limit, false)
    await runner.meet()
    await runner.start(servers, 3_600_000)
    measured?.(runner.pid)
    names.set(runner.file, runner)
    runners.push(runner)
  }
  for (const runner of runners) await runner.batch(untilCompiled, 16)
  for (const [setting, { concurrency, calls }] of settings.entries()) {
    for (const runner of runners) await runner.batch(settling, concurrency)
    const batches = new Map<string, number[]>(files.map((file) => [file, []]))
    for (let turn = 0; turn < turns; turn++) {
      for (let index = 0; index < runners.length; index++) {
        const runner = runners[(index + turn) % runners.length]
        if (runner === undefined) continue
        const { cpuMs } = await runner.batch(calls, concurrency)
        batches.get(runner.file)?.push((cpuMs * 1000) / calls)
      }
    }
    for (const [file, all] of batches) us[setting]?.get(file)?.push(percentile(all, 0.5))
  }
  for (const runner of runners) runner.stop()
}

const rows = settings.flatMap(({ concurrency }, setting) =>
  files.map((file) => {
    const { name, bare } = names.get(file) ?? { name: file, bare: limit }
    const [own, its] = [us[setting]?.get(file) ?? [], us[setting]?.get(bare) ?? []]
    const ratio = estimate(own.map((value, generation) => value / (its[generation] ?? Number.NaN)))
    return { concurrency, file, name, cpuUs: percentile(own, 0.5), ratio: ratio.value, error: ratio.error }
  }),
)
console.log(
  table([
    ['at once', 'contender', 'µs of CPU', '× its client'],
    ...rows.map(({ concurrency, name, cpuUs, ratio, error }) => [
      concurrency,
      name,
      round(cpuUs, 1),
      withError({ value: ratio, error }),
    ]),
  ]),
)
publish({ generations, turns, apart: measured !== undefined, rows })
servers.stop()
