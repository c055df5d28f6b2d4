/** Colours that read on a light and on a dark page, since a picture in a README does not know which it is on. */
const style = `
  text { font: 12px ui-sans-serif, system-ui, sans-serif; fill: #1f2328 }
  .title { font-size: 15px; font-weight: 600 }
  .quiet { fill: #59636e }
  .ours { font-weight: 600 }
  .end { text-anchor: end }
  .middle { text-anchor: middle }
  .bare { fill: #9aa4af }
  .own { fill: #1f6feb }
  .peer { fill: #c9822b }
  .failed { fill: #d1383d }
  .band { fill: #d1383d; opacity: 0.08 }
  .line { fill: none; stroke: #c9822b; stroke-width: 1.3 }
  .line.own { stroke: #1f6feb }
  .line.bare { stroke: #9aa4af }
  .rule { stroke: #8b949e; stroke-width: 1; opacity: 0.35 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    .quiet { fill: #9198a1 }
    .bare { fill: #6e7681 }
    .own { fill: #4493f8 }
    .line.own { stroke: #4493f8 }
    .line.bare { stroke: #8b949e }
  }`

/** Text as it may stand in a picture. */
export function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}

/** A line of text; `className` of {@link picture}. */
export function label(x: number, y: number, text: string, className = ''): string {
  return `<text x="${x}" y="${y}"${className === '' ? '' : ` class="${className}"`}>${escaped(text)}</text>`
}

/** A box. */
export function box(x: number, y: number, width: number, height: number, className: string): string {
  const [left, top, wide, high] = [x, y, width, height].map((value) => Math.round(value * 10) / 10)
  return `<rect x="${left}" y="${top}" width="${wide}" height="${high}" class="${className}"/>`
}

/** A straight line. */
export function rule(x1: number, y1: number, x2: number, y2: number): string {
  return `<line x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}" class="rule"/>`
}

/** A whole picture, which needs nothing from elsewhere. */
export function picture(width: number, height: number, title: string, parts: readonly string[]): string {
  const head = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">`
  return `${head}\n<title>${escaped(title)}</title>\n<style>${style}\n</style>\n${parts.join('\n')}\n</svg>\n`
}
