/**
 * What our three ways cost beside the same client with a fixed header, as exactly as a machine allows that others use: several
 * processes of each, since two of the same code may differ by more than that, and many batches in turns.
 */
import { noise, limit, Runner } from './field.ts'
import { percentile, round, table } from './figures.ts'
import { publish, quick } from './publish.ts'
import { startServers } from './servers.ts'

const copies = quick ? 1 : 4
const rounds = quick ? 2 : 16
const warmUp = quick ? 100 : 6000
const files = [
  limit,
  noise,
  'tokenwell-request',
  'bare-dispatch',
  'tokenwell-dispatcher',
  'bare-undici-fetch',
  'tokenwell-fetch',
]
const settings = [
  { concurrency: 1, calls: 400 },
  { concurrency: 16, calls: 1000 },
  { concurrency: 64, calls: 1000 },
]

const servers = await startServers()
const runners: Runner[] = []
for (let copy = 0; copy < copies; copy++) {
  for (const file of files) {
    const runner = new Runner(file, false)
    await runner.meet()
    await runner.start(servers, 3_600_000)
    runners.push(runner)
  }
}

const rows = []
for (const { concurrency, calls } of settings) {
  const us = new Map<string, number[]>(files.map((file) => [file, []]))
  for (const runner of runners) await runner.batch(warmUp, concurrency)
  for (let turn = 0; turn < rounds; turn++) {
    for (let index = 0; index < runners.length; index++) {
      const runner = runners[(index + turn) % runners.length]
      if (runner === undefined) continue
      const { cpuMs } = await runner.batch(calls, concurrency)
      us.get(runner.file)?.push((cpuMs * 1000) / calls)
    }
  }
  // What else the machine does only ever adds, so the quiet batches say more of the code, and the median more of a service.
  const at = (file: string, share: number) => percentile(us.get(file) ?? [], share)
  for (const { name, file, bare } of runners.slice(0, files.length)) {
    const [quiet, median] = [at(file, 0.1), at(file, 0.5)]
    rows.push({
      concurrency,
      file,
      name,
      quietUs: quiet,
      cpuUs: median,
      quietRatio: quiet / at(bare, 0.1),
      ratio: median / at(bare, 0.5),
    })
  }
}
console.log(
  table([
    ['at once', 'contender', 'µs, quiet tenth', '× its client', 'µs, median', '× its client'],
    ...rows.map((row) => [
      row.concurrency,
      row.name,
      round(row.quietUs, 1),
      round(row.quietRatio),
      round(row.cpuUs, 1),
      round(row.ratio),
    ]),
  ]),
)
publish({ copies, rounds, rows })
for (const runner of runners) runner.stop()
servers.stop()
