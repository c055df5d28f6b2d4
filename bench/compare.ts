import { execFileSync } from 'node:child_process'
import { percentile, round, spread, table, withSpread, type Spread } from './figures.ts'

/** One way to make the same call. */
export interface Contender {
  readonly name: string
  /** The contender that it is compared with. */
  readonly bare: string
  readonly call: () => Promise<unknown>
  /** Around each batch, unmeasured. */
  readonly before?: () => void
  readonly after?: () => void
}

/** How long to measure. */
export interface Measure {
  readonly rounds: number
  readonly calls: number
  /** Requests that one call makes, where it makes several. */
  readonly each?: number
}

/** What was measured of one contender, with the ratio to the one that it is compared with. */
export interface Compared {
  readonly name: string
  readonly bare: string
  readonly cpuUs: number
  readonly ratio: Spread
  readonly bytes: number
  readonly bytesMore: number
}

const warmUpRounds = 10

/**
 * CPU and bytes per call of each contender, in short batches that take turns, so that what the machine does besides
 * meets all alike. Ratios are taken within a round; the median of all rounds is what counts. Nothing is collected by order: what
 * comes after that runs on cold memory, at several times the price.
 */
export async function compare(
  contenders: readonly Contender[],
  { rounds, calls, each = 1 }: Measure,
  found: (row: Compared) => void = () => {},
): Promise<string> {
  const us = new Map<string, number[]>(contenders.map(({ name }) => [name, []]))
  const bytes = new Map<string, number[]>(contenders.map(({ name }) => [name, []]))
  for (let turn = 0; turn < rounds; turn++) {
    // Another one begins each time, so that none always follows the same one.
    const order = contenders.map((_, index) => contenders[(index + turn) % contenders.length])
    for (const contender of order) {
      if (contender === undefined) continue
      const { name, call } = contender
      contender.before?.()
      const heap = process.memoryUsage().heapUsed
      const cpu = process.cpuUsage()
      for (let index = 0; index < calls; index++) await call()
      const { user, system } = process.cpuUsage(cpu)
      const grown = process.memoryUsage().heapUsed - heap
      contender.after?.()
      // The first rounds compile.
      if (turn < warmUpRounds) continue
      us.get(name)?.push((user + system) / calls / each)
      // A collection came between.
      if (grown > 0) bytes.get(name)?.push(grown / calls / each)
    }
  }
  const median = (of: Map<string, number[]>, name: string) => percentile(of.get(name) ?? [], 0.5)
  const rows = contenders.map(({ name, bare }) => {
    const ratios = (us.get(name) ?? []).map((value, index) => value / (us.get(bare)?.[index] ?? Number.NaN))
    const row: Compared = {
      name,
      bare,
      cpuUs: median(us, name),
      ratio: spread(ratios),
      bytes: median(bytes, name),
      bytesMore: median(bytes, name) - median(bytes, bare),
    }
    found(row)
    const { cpuUs, ratio } = row
    return [name, bare, round(cpuUs, 1), withSpread(ratio), round(row.bytes, 0), round(row.bytesMore, 0)]
  })
  return table([['call', 'compared with', 'CPU µs', 'ratio', 'bytes', 'bytes more'], ...rows])
}

/** Runs `main` in a process whose young space is so large that in most batches nothing is collected, so that bytes can be counted. */
export async function measuring(file: string, main: () => Promise<void>): Promise<void> {
  if (process.execArgv.includes(roomy[0])) return main()
  execFileSync(process.execPath, [...roomy, file], { stdio: 'inherit' })
}

const roomy = ['--max-semi-space-size=128', '--min-semi-space-size=128'] as const
