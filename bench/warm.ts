/**
 * Warm calls of every contender: all tokens are fresh. Contenders take turns in short batches, another one first in each round,
 * so that what the machine does besides meets all alike, and each figure is a ratio to the limit's of the same round. All of them
 * start anew several times: two processes of the same code may be a fifth apart for as long as they live.
 */
import { keepApart } from './apart.ts'
import { assemble, bareClients, limit, noise, tokenClients, untilCompiled, type Field, type Runner } from './field.ts'
import { percentile, round, spread, table, withSpread, type Spread } from './figures.ts'
import { publish, quick } from './publish.ts'
import { startServers } from './servers.ts'
import { failuresOf, total } from './tally.ts'

const generations = quick ? 1 : 3
const rounds = quick ? 2 : 8
// V8 does not inline the same for one call at a time and for many.
const settling = quick ? 100 : 3000
const settings = [
  { concurrency: 1, calls: 250 },
  { concurrency: 16, calls: 640 },
  { concurrency: 64, calls: 1280 },
]

type Setting = (typeof settings)[number]

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

/** Batches by the contender's file. */
type Seen = ReadonlyMap<string, Batch[]>

async function measure(runners: readonly Runner[], { concurrency, calls }: Setting, seen: Seen): Promise<void> {
  for (const runner of runners) await runner.batch(settling, concurrency)
  for (let turn = 0; turn < rounds; turn++) {
    for (let index = 0; index < runners.length; index++) {
      const runner = runners[(index + turn) % runners.length]
      if (runner !== undefined) seen.get(runner.file)?.push(await batchOf(runner, calls, concurrency))
    }
  }
}

function rowsOf(runners: readonly Runner[], { concurrency }: Setting, seen: Seen): WarmRow[] {
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

const alone = keepApart()
const servers = await startServers()
const contenders = [...bareClients, noise, ...tokenClients]
const seen = settings.map(() => new Map<string, Batch[]>(contenders.map((file) => [file, []])))
let rows: WarmRow[] = []
let absent: Field['absent'] = []
for (let generation = 0; generation < generations; generation++) {
  const field = await assemble(contenders, servers)
  for (const { pid } of field.runners) alone?.(pid)
  for (const runner of field.runners) await runner.batch(untilCompiled, 16)
  for (const [index, setting] of settings.entries()) await measure(field.runners, setting, seen[index] ?? new Map())
  rows = settings.flatMap((setting, index) => rowsOf(field.runners, setting, seen[index] ?? new Map()))
  absent = field.absent
  field.stop()
}
for (const { concurrency } of settings) {
  console.log(`${concurrency} at once`)
  const head = ['contender', 'CPU µs', 'CPU', 'CPU to its bare client', 'requests/s', 'p50', 'p99', 'failed']
  const measured = rows.filter((row) => row.concurrency === concurrency)
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
publish({ rounds: rounds * generations, apart: alone !== undefined, rows, absent })
servers.stop()
