/**
 * Warm calls of every contender: all tokens are fresh. Contenders take turns in short batches, another one first in each round,
 * so that what the machine does besides meets all alike, and each figure is a ratio to the limit's of the same round.
 */
import { assemble, bareClients, limit, noise, tokenClients, type Runner } from './field.ts'
import { percentile, round, spread, table, withSpread, type Spread } from './figures.ts'
import { publish, quick } from './publish.ts'
import { startServers } from './servers.ts'
import { failuresOf, total } from './tally.ts'

const rounds = quick ? 2 : 18
const settings = [
  { concurrency: 1, calls: 120 },
  { concurrency: 16, calls: 320 },
  { concurrency: 64, calls: 640 },
]

interface Batch {
  readonly perSecond: number
  readonly p50: number
  readonly p99: number
  readonly cpuUs: number
  readonly failed: number
}

/** One contender at one concurrency. */
export interface WarmRow {
  readonly file: string
  readonly name: string
  readonly version: string
  /** The file of the same HTTP client with a fixed header. */
  readonly bare: string
  readonly concurrency: number
  /** Medians of all rounds. */
  readonly perSecond: number
  readonly cpuUs: number
  /** Ratios to the limit. */
  readonly ratios: { readonly [figure in 'perSecond' | 'p50' | 'p99' | 'cpuUs']: Spread }
  /** CPU beside the same HTTP client with a fixed header. */
  readonly cpuToBare: Spread
  readonly failed: number
}

async function batchOf(runner: Runner, calls: number, concurrency: number): Promise<Batch> {
  const made = await runner.batch(calls, concurrency)
  return {
    perSecond: (1000 * calls) / made.ms,
    p50: percentile(made.latenciesMs, 0.5),
    p99: percentile(made.latenciesMs, 0.99),
    cpuUs: (1000 * made.cpuMs) / calls,
    failed: total(failuresOf(made)),
  }
}

async function measure(runners: readonly Runner[], concurrency: number, calls: number): Promise<WarmRow[]> {
  const seen = new Map<string, Batch[]>(runners.map(({ file }) => [file, []]))
  // Compiles, and opens the connections.
  for (const runner of runners) await runner.batch(quick ? calls : 4 * calls, concurrency)
  for (let turn = 0; turn < rounds; turn++) {
    for (let index = 0; index < runners.length; index++) {
      const runner = runners[(index + turn) % runners.length]
      if (runner !== undefined) seen.get(runner.file)?.push(await batchOf(runner, calls, concurrency))
    }
  }
  const values = (file: string, figure: keyof Batch) => (seen.get(file) ?? []).map((batch) => batch[figure])
  const against = (file: string, bare: string, figure: keyof Batch) => {
    const bares = values(bare, figure)
    return spread(values(file, figure).map((value, index) => value / (bares[index] ?? Number.NaN)))
  }
  return runners.map(({ file, name, version, bare }) => ({
    file,
    name,
    version,
    bare,
    concurrency,
    perSecond: percentile(values(file, 'perSecond'), 0.5),
    cpuUs: percentile(values(file, 'cpuUs'), 0.5),
    ratios: {
      perSecond: against(file, limit, 'perSecond'),
      p50: against(file, limit, 'p50'),
      p99: against(file, limit, 'p99'),
      cpuUs: against(file, limit, 'cpuUs'),
    },
    cpuToBare: against(file, bare, 'cpuUs'),
    failed: values(file, 'failed').reduce((sum, count) => sum + count, 0),
  }))
}

const servers = await startServers()
const field = await assemble([...bareClients, noise, ...tokenClients], servers)
const rows: WarmRow[] = []
for (const { concurrency, calls } of settings) {
  const measured = await measure(field.runners, concurrency, calls)
  rows.push(...measured)
  console.log(`${concurrency} at once`)
  const head = ['contender', 'CPU µs', 'CPU', 'CPU to its bare client', 'requests/s', 'p50', 'p99', 'failed']
  const lines = measured.map((row) => [
    row.name,
    round(row.cpuUs, 0),
    withSpread(row.ratios.cpuUs),
    withSpread(row.cpuToBare),
    withSpread(row.ratios.perSecond),
    withSpread(row.ratios.p50),
    withSpread(row.ratios.p99),
    row.failed,
  ])
  console.log(`${table([head, ...lines])}\n`)
}
publish({ rounds, rows, absent: field.absent })
field.stop()
servers.stop()
