const colours = ['#2c974b', '#b58900', '#2f81f7', '#d9622b', '#d1383d', '#8957e5', '#bf4b8a', '#1b9aaa']

// A picture does not know what page it is on, so it brings a background of its own.
const style = `
  .page { fill: #f6f8fa }
  .panel { fill: #fff; stroke: #d1d9e0 }
  text { font: 13px ui-sans-serif, system-ui, "DejaVu Sans", sans-serif; fill: #1f2328 }
  .title { font-size: 15px; font-weight: 600 }
  .quiet { fill: #59636e }
  .end { text-anchor: end }
  .middle { text-anchor: middle }
  .rule { stroke: #8b949e; opacity: 0.25 }
  .line { fill: none; stroke-width: 1.5; stroke-linejoin: round }
${colours.map((colour, index) => `  .line.c${index} { stroke: ${colour} }\n  .fill.c${index} { fill: ${colour} }`).join('\n')}
  @media (prefers-color-scheme: dark) {
    .page { fill: #0d1117 }
    .panel { fill: #151b23; stroke: #3d444d }
    text { fill: #e6edf3 }
    .quiet { fill: #9198a1 }
  }`

/** The class of the line with this index. */
export const colour = (index: number) => `c${index % colours.length}`

/** A line of text. */
export function label(x: number, y: number, text: string, className: string): string {
  const escaped = text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
  return `<text x="${x}" y="${y}" class="${className}">${escaped}</text>`
}

/** A box. */
export function box(x: number, y: number, width: number, height: number, className: string): string {
  return `<rect x="${x}" y="${y}" width="${width}" height="${height}" class="${className}"/>`
}

/** A thin level line. */
export function rule(x: number, y: number, width: number): string {
  return `<path d="M${x} ${y}h${width}" class="rule"/>`
}

/** A whole picture, which needs nothing from elsewhere. */
export function picture(width: number, height: number, title: string, parts: readonly string[]): string {
  const size = `viewBox="0 0 ${width} ${height}" width="${width}" height="${height}"`
  const head = `<svg xmlns="http://www.w3.org/2000/svg" ${size} role="img">\n<title>${title}</title>`
  return `${head}\n<style>${style}\n</style>\n${parts.join('\n')}\n</svg>\n`
}
