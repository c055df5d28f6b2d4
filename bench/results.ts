import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Compared } from './compare.ts'
import type { Spread } from './figures.ts'
import type { Machine } from './machine.ts'
import type { Second } from './outage.ts'
import type { PacedRow } from './paced.ts'
import type { WarmRow } from './warm.ts'

/** Who did not run, and why not. */
export interface Absences {
  readonly absent: readonly { readonly name: string; readonly reason: string }[]
}

export interface WarmFigures extends Absences {
  readonly rounds: number
  readonly rows: readonly WarmRow[]
}

export interface ColdFigures extends Absences {
  readonly calls: number
  readonly endpointMs: number
  readonly rows: readonly {
    readonly file: string
    readonly name: string
    readonly ms: Spread
    readonly ratio: Spread
    readonly cpuRatio: Spread
    readonly tokenRequests: Spread
    readonly failures: Readonly<Record<string, number>>
  }[]
}

export interface PacedFigures extends Absences {
  readonly perSecond: number
  readonly forMs: number
  readonly rows: readonly PacedRow[]
}

export interface OutageFigures extends PacedFigures {
  readonly beforeMs: number
  readonly outageMs: number
  readonly rows: readonly (PacedRow & { readonly tokenRequestsAfter: number; readonly course: readonly Second[] })[]
}

/** What each part publishes. Those that are not here only print. */
export interface Figures {
  readonly warm: WarmFigures
  readonly cold: ColdFigures
  readonly churn: PacedFigures
  readonly revoked: PacedFigures
  readonly outage: OutageFigures
  readonly path: { readonly rows: readonly Compared[] }
}

/** What a run of one part found. */
export interface Result<Found = unknown> {
  readonly part: string
  readonly title: string
  readonly date: string
  readonly seconds: number
  readonly exitCode?: number
  readonly machine: Machine
  readonly figures?: Found
  /** What it printed, line by line. */
  readonly printed: readonly string[]
}

/** All results of a folder, by part. */
export function readResults(folder: string): Map<string, Result> {
  const files = readdirSync(folder).filter((file) => file.endsWith('.json'))
  const results = files.map((file) => JSON.parse(readFileSync(join(folder, file), 'utf8')) as Result)
  return new Map(results.map((result) => [result.part, result]))
}

/** What a part found, if it ran. */
export function figuresOf<Part extends keyof Figures>(
  results: ReadonlyMap<string, Result>,
  part: Part,
): Figures[Part] | undefined {
  return results.get(part)?.figures as Figures[Part] | undefined
}
