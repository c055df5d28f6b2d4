import type { Calls } from './contender-process.ts'
import { limit, type Field } from './field.ts'
import { percentile, round, table } from './figures.ts'
import { failuresOf, kinds, total } from './tally.ts'

/** What became of calls at a steady rate. */
export interface PacedRow {
  readonly file: string
  readonly name: string
  readonly version: string
  readonly calls: number
  readonly failures: Readonly<Record<string, number>>
  readonly failed: number
  /** Milliseconds, of the calls that were answered 200: a call that fails at once is not a fast one. */
  readonly p50: number
  readonly p99: number
  readonly p999: number
  readonly max: number
  /** p99.9 beside the limit's of the same time. */
  readonly p999ToLimit: number
  readonly tokenRequests: number
}

/** How calls are made. */
interface Pace {
  readonly perSecond: number
  readonly forMs: number
  /** Before that, calls that do not count. Default 0. */
  readonly settleMs?: number
}

/**
 * Has all contenders call at this rate at the same time, so that what the machine does meets all alike, while `meanwhile` is
 * done to the servers or to them.
 */
export async function paced(
  field: Field,
  { perSecond, forMs, settleMs = 0 }: Pace,
  meanwhile: () => Promise<void>,
): Promise<Map<string, Calls>> {
  const [made] = await Promise.all([
    Promise.all(
      field.runners.map(async (runner) => [runner.file, await runner.pace(perSecond, settleMs + forMs)] as const),
    ),
    meanwhile(),
  ])
  return new Map(made.map(([file, calls]) => [file, settleMs === 0 ? calls : since(settleMs, calls)]))
}

function since(settleMs: number, { startedMs, latenciesMs, outcomes, ...rest }: Calls): Calls {
  const counts = (_: unknown, index: number) => !((startedMs[index] ?? settleMs) < settleMs)
  return {
    ...rest,
    startedMs: startedMs.filter(counts),
    latenciesMs: latenciesMs.filter(counts),
    outcomes: outcomes.filter(counts),
  }
}

/** Rows of all contenders. */
export function rowsOf(
  field: Field,
  made: ReadonlyMap<string, Calls>,
  tokenRequests: Readonly<Record<string, number>>,
): PacedRow[] {
  const goodOf = (file: string) => {
    const { latenciesMs, outcomes } = made.get(file) ?? { latenciesMs: [], outcomes: [] }
    return latenciesMs.filter((_, index) => outcomes[index] === '200')
  }
  const limitP999 = percentile(goodOf(limit), 0.999)
  return field.runners.map(({ file, name, version }) => {
    const { outcomes } = made.get(file) ?? { outcomes: [] }
    const good = goodOf(file)
    const failures = failuresOf({ outcomes })
    return {
      file,
      name,
      version,
      calls: outcomes.length,
      failures,
      failed: total(failures),
      p50: percentile(good, 0.5),
      p99: percentile(good, 0.99),
      p999: percentile(good, 0.999),
      max: percentile(good, 1),
      p999ToLimit: percentile(good, 0.999) / limitP999,
      tokenRequests: tokenRequests[file] ?? 0,
    }
  })
}

/** The rows as text. */
export function tableOf(rows: readonly PacedRow[]): string {
  const head = ['contender', 'calls', 'failed', 'token requests', 'p50 ms', 'p99 ms', 'p99.9 ms', 'to the limit', 'how']
  const lines = rows.map((row) => [
    row.name,
    row.calls,
    row.failed,
    row.tokenRequests,
    round(row.p50, 1),
    round(row.p99, 1),
    round(row.p999, 1),
    round(row.p999ToLimit, 1),
    kinds(row.failures),
  ])
  return table([head, ...lines])
}
