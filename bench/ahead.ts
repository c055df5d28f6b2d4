import { round } from './figures.ts'
import { tokenClients } from './field.ts'
import type { PacedRow } from './paced.ts'
import { figuresOf, type Result } from './results.ts'

interface Entry {
  readonly file: string
  readonly name: string
  readonly value: number | null
}

const isOurs = ({ file }: Pick<Entry, 'file'>) => file.startsWith('tokenwell-')

/** Who is better in one figure than the best of our ways; less is better. */
function ahead(figure: string, all: readonly Entry[], digits: number): string[] {
  const entries = all.filter(({ file, value }) => tokenClients.includes(file) && value !== null && !Number.isNaN(value))
  const ours = entries.filter(isOurs).map(({ value }) => value ?? Number.NaN)
  const best = Math.min(...ours)
  const better = entries.filter((entry) => !isOurs(entry) && (entry.value ?? best) < best)
  if (ours.length === 0 || better.length === 0) return []
  const list = better
    .toSorted((one, other) => (one.value ?? 0) - (other.value ?? 0))
    .map(({ name, value }) => `${name} ${round(value ?? 0, digits)}`)
  return [`- ${figure}, where our best is ${round(best, digits)}: ${list.join('; ')}.`]
}

/** Every figure in which somebody beats the best of our ways, whether by more than noise or not. The why is in bench/README.md. */
export function aheadOfUs(results: ReadonlyMap<string, Result>): string {
  const warm = figuresOf(results, 'warm')?.rows ?? []
  const cold = figuresOf(results, 'cold')?.rows ?? []
  const lines = [1, 16, 64].flatMap((concurrency) => {
    const here = warm.filter((row) => row.concurrency === concurrency)
    const of = (pick: (row: (typeof warm)[number]) => number) =>
      here.map((row) => ({ file: row.file, name: row.name, value: pick(row) }))
    return [
      ...ahead(
        `warm, ${concurrency} at once: CPU to the limit`,
        of((row) => row.ratios.cpuUs.median),
        2,
      ),
      ...ahead(
        `warm, ${concurrency} at once: CPU to its bare client`,
        of((row) => row.cpuToBare.median),
        2,
      ),
      ...ahead(
        `warm, ${concurrency} at once: p99 to the limit`,
        of((row) => row.ratios.p99.median),
        2,
      ),
    ]
  })
  lines.push(
    ...ahead(
      'cold: time until all are answered, to the limit',
      cold.map((row) => ({ ...row, value: row.ratio.median })),
      2,
    ),
    ...ahead(
      'cold: token requests',
      cold.map((row) => ({ ...row, value: row.tokenRequests.median })),
      0,
    ),
  )
  for (const part of ['churn', 'revoked', 'outage'] as const) {
    const rows = figuresOf(results, part)?.rows ?? []
    const of = (pick: (row: PacedRow) => number) => rows.map((row) => ({ ...row, value: pick(row) }))
    const least = Math.min(...rows.filter(isOurs).map(({ failed }) => failed))
    // Whoever fails more calls is not ahead by failing them fast, or by not asking for another token.
    const whole = (pick: (row: PacedRow) => number) => of((row) => (row.failed > least ? Number.NaN : pick(row)))
    lines.push(
      ...ahead(
        `${part}: failed calls`,
        of((row) => row.failed),
        0,
      ),
      ...ahead(
        `${part}: p99.9 in ms`,
        whole((row) => row.p999),
        1,
      ),
      ...ahead(
        `${part}: token requests`,
        whole((row) => row.tokenRequests),
        0,
      ),
    )
  }
  return lines.length === 0
    ? 'Nowhere in this run.'
    : `${lines.join('\n')}\n\n[Why](../README.md#where-others-are-ahead).`
}
