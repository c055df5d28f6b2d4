import type { Line, Panel } from './dashboard.ts'
import { ticks, worded } from './scale.ts'
import { box, colour, label, rule } from './svg.ts'

/** Where something is drawn, in pixels. */
export interface Area {
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}

type Point = readonly [x: number, low: number, high: number]

/** Draws a panel: its title, its lines between axes, its legend. */
export function drawPanel(panel: Panel, lines: readonly Line[], seconds: readonly number[], area: Area): string[] {
  const { x, y, width, height } = area
  const frame = [box(x, y, width, height, 'panel'), label(x + 10, y + 23, panel.title, 'title')]
  if (panel.fieldConfig === undefined) throw new Error(`${panel.title} has no unit`)
  if (lines.length === 0) {
    return [...frame, label(x + width / 2, y + height / 2 + 8, 'No data', 'quiet middle')]
  }
  const { unit, max, custom } = panel.fieldConfig.defaults
  const layers = custom.stacking?.mode === 'normal' ? stacked(lines) : lines.map(({ values }) => overNothing(values))
  const scale = ticks(max ?? Math.max(...layers.flat().map((layer) => layer?.high ?? 0), 1e-3))
  const top = scale.at(-1) ?? 1

  const legend = drawLegend(lines, { x: x + 10, y: y + height - 10, width: width - 20, height: 0 })
  const plot = { x: x + 78, y: y + 42, width: width - 96, height: height - 76 - legend.height }
  const span = (seconds.at(-1) ?? 1) - (seconds[0] ?? 0)
  const across = (at: number) => plot.x + ((at - (seconds[0] ?? 0)) / span) * plot.width
  const up = (value: number) => plot.y + plot.height * (1 - value / top)

  const levels = scale.flatMap((value) => [
    rule(plot.x, tenth(up(value)), plot.width),
    label(plot.x - 6, tenth(up(value) + 4), worded(value, unit, top), 'quiet end'),
  ])
  const every = Math.ceil(span / 600)
  const minutes = Array.from({ length: Math.floor(span / 60 / every) + 1 }, (_, index) => {
    const minute = index * every
    const at = tenth(across((seconds[0] ?? 0) + minute * 60))
    return label(at, plot.y + plot.height + 18, minute === 0 ? '0 min' : `${minute}`, 'quiet middle')
  })
  const drawn = layers.flatMap((layer, index) => {
    const points = layer.map((one, at): Point | undefined =>
      one === undefined ? undefined : [across(seconds[at] ?? 0), up(one.low), up(one.high)],
    )
    return runsOf(points).flatMap((run) => drawRun(run, colour(index), custom.fillOpacity))
  })
  return [...frame, ...levels, ...minutes, ...drawn, ...legend.parts]
}

interface Layer {
  readonly low: number
  readonly high: number
}

const overNothing = (values: Line['values']) =>
  values.map((high): Layer | undefined => (high === undefined ? undefined : { low: 0, high }))

/** Each line on top of those before it. */
function stacked(lines: readonly Line[]): (Layer | undefined)[][] {
  const heights = lines[0]?.values.map(() => 0) ?? []
  return lines.map(({ values }) =>
    values.map((value, index) => {
      if (value === undefined) return undefined
      const low = heights[index] ?? 0
      return { low, high: (heights[index] = low + value) }
    }),
  )
}

/** The parts of a line between its gaps. */
function runsOf(points: readonly (Point | undefined)[]): Point[][] {
  const runs: Point[][] = [[]]
  for (const point of points) {
    if (point === undefined) runs.push([])
    else runs.at(-1)?.push(point)
  }
  return runs.filter(({ length }) => length > 0)
}

function drawRun(run: readonly Point[], className: string, fillOpacity: number): string[] {
  const path = (points: readonly (readonly [number, number])[]) =>
    points.map(([x, y]) => `${tenth(x)} ${tenth(y)}`).join('L')
  const line = path(run.map(([x, , high]) => [x, high]))
  const back = path(run.map(([x, low]) => [x, low] as const).toReversed())
  return [
    `<path d="M${line}L${back}Z" class="fill ${className}" opacity="${fillOpacity / 100}"/>`,
    // A lone point is a line of no length, which a round end shows.
    `<path d="M${line}${run.length === 1 ? 'h0' : ''}" class="line ${className}" stroke-linecap="round"/>`,
  ]
}

/** Names with their colours, from the bottom up as many lines as they need. */
function drawLegend(lines: readonly Line[], { x, y, width }: Area): { parts: string[]; height: number } {
  const rows: { name: string; index: number; left: number }[][] = [[]]
  let left = 0
  for (const [index, { name }] of lines.entries()) {
    // Nothing measures text here; this is what the widest of the usual fonts needs.
    const wide = 26 + name.length * 7.3
    if (left > 0 && left + wide > width) {
      rows.push([])
      left = 0
    }
    rows.at(-1)?.push({ name, index, left })
    left += wide
  }
  const parts = rows.flatMap((row, number) => {
    const base = y - (rows.length - 1 - number) * 18
    return row.flatMap((one) => [
      box(tenth(x + one.left), base - 6, 12, 3, `fill ${colour(one.index)}`),
      label(tenth(x + one.left + 17), base, one.name, ''),
    ])
  })
  return { parts, height: rows.length * 18 }
}

const tenth = (value: number) => Math.round(value * 10) / 10
