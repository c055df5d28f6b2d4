import { readFile, writeFile } from 'node:fs/promises'

import type { RunnerTask, RunnerTestSuite } from 'vitest'

const document = new URL('../README.md', import.meta.url)
const [start, end] = ['<!-- cases:start -->', '<!-- cases:end -->']

/** Which frameworks passed a case, for each case. */
type Cases = ReadonlyMap<string, ReadonlySet<string>>

/** The cases below a suite that have passed, by their names with those of the suites between. */
export function passedCases({ tasks }: RunnerTestSuite, above = ''): string[] {
  return tasks.flatMap((task: RunnerTask) => {
    const name = above + task.name
    if (task.type === 'suite') return passedCases(task, `${name}: `)
    return task.result?.state === 'pass' ? [name] : []
  })
}

/**
 * The cases that a framework passed by the table of README.md, which with UPDATE_TABLES=1 in the environment is corrected
 * first. Frameworks run in files of their own: with `--no-file-parallelism` they do that in turn.
 */
export async function documentedCases(framework: string, passed: readonly string[]): Promise<string[]> {
  const text = await readFile(document, 'utf8')
  const [from, to] = [text.indexOf(start) + start.length, text.indexOf(end)]
  if (from < start.length || to < from) throw new Error(`README.md: expected ${start} and ${end}`)
  const found = parse(text.slice(from, to))
  const update = process.env['UPDATE_TABLES'] === '1'
  const cases = update ? withColumn(found, framework, passed) : found
  if (update) await writeFile(document, `${text.slice(0, from)}\n\n${format(cases)}\n\n${text.slice(to)}`)
  return [...cases].filter(([, frameworks]) => frameworks.has(framework)).map(([name]) => name)
}

function withColumn(found: Cases, framework: string, passed: readonly string[]): Cases {
  const cases = new Map<string, ReadonlySet<string>>()
  for (const name of passed) cases.set(name, new Set([...(found.get(name) ?? []), framework]))
  for (const [name, frameworks] of found) {
    const others = new Set([...frameworks].filter((other) => other !== framework))
    if (!cases.has(name) && others.size > 0) cases.set(name, others)
  }
  return cases
}

function parse(table: string): Cases {
  const [head = [], , ...rows] = table
    .trim()
    .split('\n')
    .map((line) => line.split('|').map((cell) => cell.trim()))
  return new Map(
    rows.map((cells) => [
      cells[1] ?? '',
      new Set(head.filter((title, column) => title !== '' && cells[column] === '✓')),
    ]),
  )
}

function format(cases: Cases): string {
  const frameworks = [...new Set([...cases.values()].flatMap((passed) => [...passed]))].toSorted()
  const rows = [...cases].map(([name, passed]) => [name, ...frameworks.map((one) => (passed.has(one) ? '✓' : ''))])
  const table = [['case', ...frameworks], ...rows]
  const widths = table[0]?.map((_, column) => Math.max(...table.map((row) => row[column]?.length ?? 0))) ?? []
  const line = (cells: readonly string[]) => `| ${cells.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join(' | ')} |`
  const rule = widths.map((width) => '-'.repeat(width))
  return [table[0] ?? [], rule, ...table.slice(1)].map(line).join('\n')
}
