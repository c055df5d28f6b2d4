import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { outageChart, warmChart } from './charts.ts'
import { round, withSpread } from './figures.ts'
import { aheadOfUs } from './ahead.ts'
import { limit, noise } from './field.ts'
import type { PacedRow } from './paced.ts'
import { parts } from './parts.ts'
import { figuresOf, readResults, type Result } from './results.ts'
import { kinds, total } from './tally.ts'
import type { WarmRow } from './warm.ts'

type Results = ReadonlyMap<string, Result>
type Cells = readonly (string | number)[]

function markdown([head = [], ...rows]: readonly Cells[]): string {
  const line = (cells: Cells) => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map((_, column) => (column === 0 ? '---' : '--:'))), ...rows.map(line)].join('\n')
}

const number = (value: number | null, digits = 1) =>
  value === null || Number.isNaN(value) ? '–' : round(value, digits)

function warm(results: Results): string {
  const rows = figuresOf(results, 'warm')?.rows ?? []
  const tableAt = (concurrency: number) =>
    markdown([
      ['contender', 'version', 'CPU µs', 'CPU', 'CPU to its bare client', 'requests/s', 'p50', 'p99', 'failed'],
      ...rows.filter((row) => row.concurrency === concurrency).map((row) => warmCells(row)),
    ])
  return [
    'Ratios are to `undici request` with a fixed header in the same round: median of the rounds (minimum–maximum). The second',
    'column of CPU compares with the same HTTP client with a fixed header, which tells what the tokens cost from what the client does.',
    ...[16, 1, 64].map((concurrency) => `\n### ${concurrency} at once\n\n${tableAt(concurrency)}`),
  ].join('\n')
}

const warmCells = (row: WarmRow): Cells => [
  row.name,
  row.version,
  round(row.cpuUs, 0),
  withSpread(row.ratios.cpuUs),
  row.file === row.bare ? '–' : withSpread(row.cpuToBare),
  withSpread(row.ratios.perSecond),
  withSpread(row.ratios.p50),
  withSpread(row.ratios.p99),
  row.failed,
]

function cold(results: Results): string {
  const rows = figuresOf(results, 'cold')?.rows ?? []
  return markdown([
    ['contender', 'token requests', 'ms until all answered', 'to the limit', 'CPU to the limit', 'failed', 'how'],
    ...rows.map((row) => [
      row.name,
      withSpread(row.tokenRequests, 0),
      round(row.ms.median, 0),
      withSpread(row.ratio),
      withSpread(row.cpuRatio),
      total(row.failures),
      kinds(row.failures),
    ]),
  ])
}

function paced(results: Results, part: 'churn' | 'revoked' | 'outage'): string {
  const rows = figuresOf(results, part)?.rows ?? []
  const cells = (row: PacedRow): Cells => [
    row.name,
    row.calls,
    row.failed,
    row.tokenRequests,
    number(row.p50),
    number(row.p99),
    number(row.p999),
    number(row.p999ToLimit),
    kinds(row.failures),
  ]
  const head = ['contender', 'calls', 'failed', 'token requests', 'p50 ms', 'p99 ms', 'p99.9 ms', 'to the limit', 'how']
  const saturated = rows.some(({ file, failed }) => file === limit && failed > 0)
  const warning = saturated
    ? '**The limit itself failed calls: the machine was too busy for this to say anything.**\n\n'
    : ''
  return `${warning}${markdown([head, ...rows.map(cells)])}\n\nTimes are those of calls that were answered 200.`
}

const written: Readonly<Record<string, (results: Results) => string>> = {
  warm,
  cold,
  churn: (results) => paced(results, 'churn'),
  revoked: (results) => paced(results, 'revoked'),
  outage: (results) => `${paced(results, 'outage')} Token requests are those during the outage.`,
}

/** Whether the limit, measured twice, is more than a tenth away from itself. */
function isNoisy(results: Results): boolean {
  const rows = figuresOf(results, 'warm')?.rows ?? []
  return rows.some(({ file, ratios }) => file === noise && Math.abs(ratios.cpuUs.median - 1) > 0.1)
}

function absences(results: Results): string {
  const all = [...results.values()].flatMap(({ part, figures }) =>
    ((figures as { absent?: { name: string; reason: string }[] } | undefined)?.absent ?? []).map(
      ({ name, reason }) => `- ${name}, in \`${part}\`: ${reason}`,
    ),
  )
  return all.length === 0 ? '' : `\n## Did not run\n\n${[...new Set(all)].join('\n')}\n`
}

function section({ part, title, printed, exitCode, seconds, date }: Result, results: Results): string {
  const body = written[part]?.(results) ?? `\`\`\`text\n${printed.join('\n')}\n\`\`\``
  const outcome = exitCode === undefined ? '' : `, ended with exit code ${exitCode}`
  return `## ${title}\n\n\`bench ${part}\`, ${date.slice(0, 10)}, ${seconds} s${outcome}.\n\n${body}\n`
}

/** Writes the tables and the charts of the results in this folder. */
export function writeReport(folder: string): void {
  const results = readResults(folder)
  const ordered = parts.flatMap(({ name }) => results.get(name) ?? [])
  const newest = ordered.toSorted((one, other) => other.date.localeCompare(one.date))[0]
  if (newest === undefined) return
  const { machine } = newest
  const provisional = isNoisy(results) || ordered.some((result) => result.machine.busy)
  const on = `${machine.cpu}, ${machine.cores} cores, ${machine.memoryGiB} GiB, ${machine.platform}; Node.js ${machine.node}, undici ${machine.undici}`
  const lines = [
    '# Results\n',
    'Made by `npx --yes pnpm@12.21.0 bench`, which overwrites this file; [what is measured, and how](../README.md).\n',
    `${newest.date.slice(0, 10)}, commit ${machine.commit}: ${on}.`,
    ...(provisional
      ? ['\n**Provisional: the machine was busy with something else too. These figures are to be made again.**']
      : []),
    `\n## Where others are ahead\n\n${aheadOfUs(results)}`,
    absences(results),
    ...ordered.map((result) => section(result, results)),
  ]
  writeFileSync(join(folder, 'README.md'), `${lines.join('\n').trim()}\n`)
  const footnote = `Node.js ${machine.node}, ${machine.cores} cores, ${newest.date.slice(0, 10)}${provisional ? '; provisional: the machine was busy' : ''}.`
  const warmFigures = figuresOf(results, 'warm')
  if (warmFigures !== undefined) writeFileSync(join(folder, 'warm-overhead.svg'), warmChart(warmFigures, 16, footnote))
  const outageFigures = figuresOf(results, 'outage')
  if (outageFigures !== undefined) writeFileSync(join(folder, 'outage.svg'), outageChart(outageFigures, footnote))
}
