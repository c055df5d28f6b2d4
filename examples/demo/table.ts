type Cell = string | number

/** Lays out rows in columns as wide as their widest cell: texts begin at the same place, numbers end there. */
export function formatTable(header: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const columns = header.map((title, index) => {
    const cells = rows.map((row) => row[index] ?? '')
    const width = Math.max(title.length, ...cells.map((cell) => String(cell).length))
    const align = (text: string) => (typeof cells[0] === 'number' ? text.padStart(width) : text.padEnd(width))
    return [title, '-'.repeat(width), ...cells].map((cell) => align(String(cell)))
  })
  const lines = Array.from({ length: rows.length + 2 }, (_, index) => columns.map((cells) => cells[index]).join('  '))
  return lines.map((line) => line.trimEnd()).join('\n')
}
