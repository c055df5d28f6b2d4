import { round } from './figures.ts'
import type { OutageFigures, WarmFigures } from './results.ts'
import { box, label, picture, rule } from './svg.ts'

const width = 860
const names = 262

const isOurs = (file: string) => file.startsWith('tokenwell-')

/** CPU of a warm call, as so many of the limit's: the HTTP client's part, and what tokens add to it. */
export function warmChart({ rows }: WarmFigures, concurrency: number, footnote: string): string {
  const here = rows.filter((row) => row.concurrency === concurrency)
  const cpuOf = (file: string) => here.find((row) => row.file === file)?.ratios.cpuUs.median ?? 1
  const bars = here
    .filter((row) => row.bare !== row.file)
    .map(({ file, name, bare }) => ({ file, name, all: cpuOf(file), bare: Math.min(cpuOf(bare), cpuOf(file)) }))
    .toSorted((one, other) => one.all - other.all)
  const right = width - 90
  const most = Math.max(...bars.map(({ all }) => all))
  const x = (value: number) => names + 10 + ((right - names - 10) * value) / most
  const top = 74
  const height = top + bars.length * 24 + 44
  const title = `What a warm call costs, ${concurrency} at once`
  const parts = [
    label(16, 26, title, 'title'),
    label(16, 45, 'CPU time per call; 1 is undici request with a fixed header. Shorter is better.', 'quiet'),
    box(16, 54, 10, 10, 'bare'),
    label(31, 63, 'the HTTP client alone', 'quiet'),
    box(176, 54, 10, 10, 'own'),
    box(188, 54, 10, 10, 'peer'),
    label(203, 63, 'what getting a token onto the call adds', 'quiet'),
    rule(x(1), top - 4, x(1), top + bars.length * 24),
  ]
  for (const [index, bar] of bars.entries()) {
    const y = top + index * 24
    const ours = isOurs(bar.file)
    const added = bar.all - bar.bare
    const figure = bar.file === 'noise' ? round(bar.all) : `${round(bar.all)} (+${round(added)})`
    parts.push(
      label(names, y + 14, bar.name, ours ? 'end ours' : 'end'),
      box(x(0), y + 3, x(bar.bare) - x(0), 15, 'bare'),
      box(x(bar.bare), y + 3, x(bar.all) - x(bar.bare), 15, ours ? 'own' : bar.file === 'noise' ? 'bare' : 'peer'),
      label(x(bar.all) + 6, y + 14, figure, ours ? 'ours' : 'quiet'),
    )
  }
  parts.push(label(16, height - 14, footnote, 'quiet'))
  return picture(width, height, title, parts)
}

/** The course of an outage, one strip for each contender: p99 of the calls that were answered, and the share of those that failed. */
export function outageChart(figures: OutageFigures, footnote: string): string {
  const { rows, beforeMs, outageMs, forMs } = figures
  const shown = rows.filter(({ file }) => file !== 'noise')
  const left = names + 10
  const right = width - 130
  const strip = 34
  const top = 92
  const bottom = top + shown.length * strip
  const seconds = forMs / 1000
  const x = (second: number) => left + ((right - left) * second) / seconds
  // From half a millisecond to a second, in powers of ten.
  const rise = (ms: number) => (strip - 8) * Math.min(1, Math.max(0, Math.log10(ms / 0.5) / Math.log10(2000)))
  const title = 'A minute without a token endpoint, while the token lives on'
  const parts = [
    label(16, 26, title, 'title'),
    label(
      16,
      45,
      'Line: p99 of answered calls, second by second, 0.5 ms to 1 s, logarithmic. Red: failed calls.',
      'quiet',
    ),
    box(x(beforeMs / 1000), top - 14, x((beforeMs + outageMs) / 1000) - x(beforeMs / 1000), bottom - top + 14, 'band'),
    label(x((beforeMs + outageMs / 2) / 1000), top - 18, 'token endpoint answers 503', 'quiet middle'),
    label(width - 92, top - 18, 'failed', 'quiet end'),
    label(width - 16, top - 18, 'asked', 'quiet end'),
  ]
  for (const [index, row] of shown.entries()) {
    const base = top + (index + 1) * strip - 4
    const ours = isOurs(row.file)
    const kind = ours ? 'own' : row.file.startsWith('bare-') ? 'bare' : 'peer'
    const path: string[] = []
    for (const [second, { p99, failed, calls }] of row.course.entries()) {
      if (failed > 0) {
        const high = Math.max(2, ((strip - 8) * failed) / calls)
        parts.push(box(x(second), base - high, x(second + 1) - x(second), high, 'failed'))
      }
      if (p99 !== null) {
        const begins = path.length === 0 || row.course[second - 1]?.p99 === null
        path.push(`${begins ? 'M' : 'L'}${round(x(second + 0.5), 1)} ${round(base - rise(p99), 1)}`)
      }
    }
    parts.push(
      `<path d="${path.join('')}" class="line ${kind}"/>`,
      rule(left, base + 2, right, base + 2),
      label(names, base - 8, row.name, ours ? 'end ours' : 'end'),
      label(width - 92, base - 8, String(row.failed), ours ? 'end ours' : 'end'),
      label(width - 16, base - 8, row.file.startsWith('bare-') ? '–' : String(row.tokenRequests), 'end'),
    )
  }
  for (let second = 0; second <= seconds; second += seconds > 30 ? 10 : 5)
    parts.push(label(x(second), bottom + 16, `${second} s`, 'quiet middle'))
  const calls = (figures.perSecond * forMs) / 1000
  const note = `Of ${calls} calls each; asked: token requests during the outage. Clocks are set on, so that 95 s of the token are left then.`
  parts.push(label(16, bottom + 38, note, 'quiet'), label(16, bottom + 54, footnote, 'quiet'))
  return picture(width, bottom + 70, title, parts)
}
