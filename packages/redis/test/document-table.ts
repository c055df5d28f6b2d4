import { readFile, writeFile } from 'node:fs/promises'

/** A Markdown table as the formatter of this repository has it. */
export function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, column) => Math.max(...[title, ...rows.map((row) => row[column] ?? '')].map(length)))
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n')
}

const length = (text: string): number => text.length

/**
 * What a document has between `<!-- name:start -->` and `<!-- name:end -->`, and what it should have.
 * With UPDATE_TABLES=1 in the environment it is written first.
 */
export async function documented(
  document: URL,
  name: string,
  text: string,
): Promise<{ found: string; expected: string }> {
  const [start, end] = [`<!-- ${name}:start -->`, `<!-- ${name}:end -->`]
  const expected = `\n\n${text}\n\n`
  const [before, found, after] = split(await readFile(document, 'utf8'), start, end)
  if (process.env['UPDATE_TABLES'] !== '1') return { found, expected }
  await writeFile(document, before + start + expected + end + after)
  return { found: expected, expected }
}

function split(text: string, start: string, end: string): [string, string, string] {
  const [from, to] = [text.indexOf(start), text.indexOf(end)]
  if (from < 0 || to < from) throw new Error(`expected ${start} and ${end}`)
  return [text.slice(0, from), text.slice(from + start.length, to), text.slice(to + end.length)]
}
