import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { root } from '../workspace.ts'

/** What is read of a dashboard of Grafana's. */
export interface Dashboard {
  readonly title: string
  readonly panels: readonly Panel[]
}

/** A row's heading, or a chart of what its targets ask for. */
export interface Panel {
  readonly type: 'row' | 'timeseries'
  readonly title: string
  /** In columns of 24, and in lines. */
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number }
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[]
  readonly fieldConfig?: {
    readonly defaults: {
      readonly unit: string
      readonly max?: number
      readonly custom: { readonly fillOpacity: number; readonly stacking?: { readonly mode: string } }
    }
  }
}

/** Where the figures are, and of which time. */
export interface Source {
  readonly prometheus: string
  readonly from: Date
  readonly to: Date
}

/** One line of a chart: a value, or a gap, for each moment of {@link moments}. */
export interface Line {
  readonly name: string
  readonly values: readonly (number | undefined)[]
}

interface Answer {
  readonly error?: string
  readonly data?: {
    readonly result: readonly {
      readonly metric: Readonly<Record<string, string>>
      readonly values: readonly (readonly [at: number, value: string])[]
    }[]
  }
}

export async function readDashboard(): Promise<Dashboard> {
  return JSON.parse(await readFile(join(root, 'docs/grafana/tokenwell.json'), 'utf8')) as Dashboard
}

/** The moments that are asked about, in seconds since 1970: as many as are seen apart, but none between two scrapes. */
export function moments(source: Source): number[] {
  const [first, last] = [source.from.getTime() / 1000, source.to.getTime() / 1000]
  const step = stepOf(source)
  const start = Math.floor(first / step) * step
  return Array.from({ length: Math.floor((last - start) / step) + 1 }, (_, index) => start + index * step)
}

const stepOf = ({ from, to }: Source) => 5 * Math.ceil((to.getTime() - from.getTime()) / 500_000)

/** Asks Prometheus for the lines of a panel, as Grafana would. */
export async function askFor({ targets = [] }: Panel, source: Source): Promise<Line[]> {
  const asked = moments(source)
  const step = stepOf(source)
  // A window that a renewal of a token of 30 seconds is in, and that leaves nothing out.
  const variables = { $__rate_interval: `${Math.max(30, 4 * step)}s`, $upstream: '.*' }
  const answers = targets.map(async ({ expr, legendFormat }) => {
    let query = expr
    for (const [name, value] of Object.entries(variables)) query = query.replaceAll(name, value)
    const parameters = { query, start: `${asked[0]}`, end: `${asked.at(-1)}`, step: `${step}` }
    const response = await fetch(
      `${source.prometheus}/api/v1/query_range?${new URLSearchParams(parameters).toString()}`,
    )
    const { error, data } = (await response.json()) as Answer
    if (data === undefined) throw new Error(`${query}: ${error}`)
    return data.result.map(({ metric, values }) => {
      const found = new Map(values.map(([at, value]) => [at, Number(value)]))
      const name = legendFormat.replaceAll(/\{\{(\w+)\}\}/g, (_, label: string) => metric[label] ?? '').trim()
      return { name, values: asked.map((at) => finite(found.get(at))) }
    })
  })
  return (await Promise.all(answers)).flat().filter(({ values }) => values.some((value) => value !== undefined))
}

// A quotient of nothing by nothing is NaN.
const finite = (value: number | undefined) => (Number.isFinite(value) ? value : undefined)
