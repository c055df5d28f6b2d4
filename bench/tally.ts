import type { Calls } from './contender-process.ts'

/** How many calls ended in which way, but for those that were answered 200. */
export function failuresOf({ outcomes }: Pick<Calls, 'outcomes'>): Record<string, number> {
  const tally: Record<string, number> = {}
  for (const outcome of outcomes) if (outcome !== '200') tally[outcome] = (tally[outcome] ?? 0) + 1
  return tally
}

/** How many these are. */
export function total(tally: Readonly<Record<string, number>>): number {
  return Object.values(tally).reduce((sum, count) => sum + count, 0)
}

/** As a table shows them. */
export function kinds(tally: Readonly<Record<string, number>>): string {
  const entries = Object.entries(tally).toSorted((one, other) => other[1] - one[1])
  return entries.length === 0 ? '–' : entries.map(([kind, count]) => `${kind}: ${count}`).join(', ')
}
