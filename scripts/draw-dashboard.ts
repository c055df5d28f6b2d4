/**
 * Draws docs/grafana/tokenwell.svg: the dashboard beside it, as its JSON lays it out, with figures of a real Prometheus.
 *
 * `node scripts/draw-dashboard.ts` lives some minutes with the examples to have figures (see dashboard/live.ts);
 * `node scripts/draw-dashboard.ts http://127.0.0.1:9090 2026-11-22T09:00:00Z 2026-11-22T09:07:00Z` takes them from there.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { askFor, moments, readDashboard, type Panel, type Source } from './dashboard/dashboard.ts'
import { live } from './dashboard/live.ts'
import { drawPanel } from './dashboard/panel.ts'
import { label, box, picture } from './dashboard/svg.ts'
import { root } from './workspace.ts'

const width = 1200
const head = 44
const [column, line, gap] = [width / 24, 29, 8]

async function draw(source: Source): Promise<void> {
  const { title, panels } = await readDashboard()
  const seconds = moments(source)
  const drawn = await Promise.all(panels.map(async (panel) => drawOne(panel, seconds, source)))
  const height = head + Math.max(...panels.map(({ gridPos: { y, h } }) => y + h)) * line + gap
  const caption =
    'Drawn from the JSON of the dashboard and the figures of a real Prometheus; not a screenshot of Grafana.'
  const parts = [
    box(0, 0, width, height, 'page'),
    label(gap + 2, 27, title, 'title'),
    label(width - gap - 2, 27, caption, 'quiet end'),
    ...drawn.flat(),
  ]
  const file = join(root, 'docs/grafana/tokenwell.svg')
  await writeFile(file, picture(width, height, `${title}: ${caption}`, parts))
}

async function drawOne(panel: Panel, seconds: readonly number[], source: Source): Promise<string[]> {
  const { x, y, w, h } = panel.gridPos
  const area = {
    x: x * column + gap / 2,
    y: head + y * line + gap / 2,
    width: w * column - gap,
    height: h * line - gap,
  }
  if (panel.type === 'row') return [label(area.x + 6, area.y + 16, panel.title, 'title')]
  return drawPanel(panel, await askFor(panel, source), seconds, area)
}

const [prometheus, from = '', to = ''] = process.argv.slice(2)
if (prometheus === undefined) {
  const stop = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => stop.abort())
  const folder = await mkdtemp(join(tmpdir(), 'tokenwell-dashboard-'))
  try {
    await live(folder, stop.signal, draw)
  } finally {
    await rm(folder, { recursive: true })
  }
} else await draw({ prometheus, from: new Date(from), to: new Date(to) })
