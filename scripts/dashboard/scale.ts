interface Unit {
  readonly factor: number
  readonly suffix: string
}

/** Round values from 0 to at least `highest`: 1, 2 or 5 of some power of ten apart. */
export function ticks(highest: number): number[] {
  const rough = Math.max(highest, Number.MIN_VALUE) / 4
  const power = 10 ** Math.floor(Math.log10(rough))
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((one) => one >= rough * 0.999) ?? rough
  return Array.from({ length: Math.ceil((highest / step) * 0.999) + 1 }, (_, index) => index * step)
}

/** A value as Grafana words it in one of the units that the dashboard has. */
export function worded(value: number, unit: string, highest: number): string {
  const { factor, suffix } = unitOf(unit, highest)
  return `${Number((value * factor).toPrecision(3))}${suffix}`
}

function unitOf(unit: string, highest: number): Unit {
  if (unit === 's') return highest < 1 ? { factor: 1000, suffix: ' ms' } : { factor: 1, suffix: ' s' }
  if (unit === 'percentunit') return { factor: 100, suffix: '%' }
  if (unit === 'reqps') return { factor: 1, suffix: ' req/s' }
  if (unit === 'ops') return { factor: 1, suffix: ' ops/s' }
  if (unit === 'short') return { factor: 1, suffix: '' }
  throw new Error(`no words for the unit ${unit}`)
}
