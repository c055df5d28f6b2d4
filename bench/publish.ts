import { writeFileSync } from 'node:fs'

/** Whether this is a smoke run, whose figures say nothing. */
export const quick = process.env['TOKENWELL_BENCH_QUICK'] === '1'

/** Leaves figures for the results of a run; where there is none, they are only printed by who measured them. */
export function publish(figures: object): void {
  const file = process.env['TOKENWELL_BENCH_FIGURES']
  if (file !== undefined) writeFileSync(file, JSON.stringify(figures))
}
