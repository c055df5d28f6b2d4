/** The value below which this share of all values is. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}

/** Rows of text in columns as wide as their widest cell. */
export function table(rows: readonly (readonly (string | number)[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => String(row[column] ?? '').length)))
  return rows
    .map((row) =>
      row
        .map((cell, column) => String(cell).padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

/** A number with as many digits as it deserves. */
export function round(value: number, digits = 2): string {
  return value.toFixed(digits)
}

/** A figure of several rounds. */
export interface Spread {
  readonly median: number
  readonly min: number
  readonly max: number
}

/** The middle of these, the least and the most. */
export function spread(values: readonly number[]): Spread {
  return { median: percentile(values, 0.5), min: percentile(values, 0), max: percentile(values, 1) }
}

/** Median with minimum and maximum, as tables show it. */
export function withSpread({ median, min, max }: Spread, digits = 2): string {
  return `${round(median, digits)} (${round(min, digits)}–${round(max, digits)})`
}

/** What several ratios are estimated to be: their geometric mean, and its standard error. */
export interface Estimate {
  readonly value: number
  readonly error: number
}

/** Of one ratio alone nobody knows the error: NaN. */
export function estimate(ratios: readonly number[]): Estimate {
  const logs = ratios.map((ratio) => Math.log(ratio))
  const mean = average(logs)
  const variance = logs.reduce((sum, log) => sum + (log - mean) ** 2, 0) / (logs.length - 1)
  return { value: Math.exp(mean), error: Math.sqrt(variance / logs.length) }
}

/** The mean of these. */
export function average(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

/** An estimate with its error, as tables show it. */
export function withError({ value, error }: Estimate): string {
  return `${round(value, 3)} ± ${round(error, 3)}`
}
