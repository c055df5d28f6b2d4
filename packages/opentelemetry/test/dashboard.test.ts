import { tracingChannel } from 'node:diagnostics_channel'
import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { exported, type Series } from './prometheus.ts'
import { readQuery } from './promql.ts'
import { everything } from './world.ts'

interface Dashboard {
  readonly title: string
  readonly panels: readonly {
    readonly id: number
    readonly title: string
    readonly type: string
    readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[]
  }[]
  readonly templating: {
    readonly list: readonly { readonly name: string; readonly query: string | { readonly query: string } }[]
  }
}

const file = new URL('../../../docs/grafana/tokenwell.json', import.meta.url)
const dashboard = JSON.parse(await readFile(file, 'utf8')) as Dashboard
const queries = dashboard.panels.flatMap(({ title, targets = [] }) =>
  targets.map(({ expr, legendFormat }) => ({ title, expr, legendFormat })),
)
// What Prometheus itself adds to what it scrapes.
const ofPrometheus = ['instance', 'job', 'le']

async function scrapeEverything(): Promise<readonly Series[]> {
  const scrape = await exported()
  await everything()
  const wait = tracingChannel('tokenwell:lease.wait')
  const lease = { upstream: 'billing', outcome: 'found' }
  wait.start.publish(lease)
  wait.asyncEnd.publish(lease)
  return scrape()
}

let scraped: Promise<readonly Series[]> | undefined
/** Once for all tests, by whichever comes first. */
const scrapedOnce = () => (scraped ??= scrapeEverything())

const has = (label: string) => (one: Series) => ofPrometheus.includes(label) || one.labels[label] !== undefined

function fits(value: string, operator: string, wanted: string): boolean {
  if (operator === '=' || operator === '!=') return (value === wanted) === (operator === '=')
  return new RegExp(`^(?:${wanted})$`).test(value) === (operator === '=~')
}

describe("the dashboard's queries, against what the exporter has", () => {
  it('it has panels, all of which ask for something', () => {
    const asking = dashboard.panels.filter(({ type }) => type !== 'row')
    expect(asking.length).toBeGreaterThan(10)
    expect(asking.filter(({ targets = [] }) => targets.length === 0)).toEqual([])
    expect(new Set(dashboard.panels.map(({ id }) => id)).size).toBe(dashboard.panels.length)
  })

  it.each(queries)('$title: $expr', async ({ expr, legendFormat }) => {
    const series = await scrapedOnce()
    const { errors, selectors, grouping } = readQuery(expr)
    expect(errors).toEqual([])
    expect(selectors).not.toEqual([])
    for (const { metric, conditions } of selectors) {
      const found = series.filter(({ name }) => name === metric)
      expect(found).not.toEqual([])
      for (const label of [...grouping, ...conditions.map(([name]) => name)]) {
        expect(found.some(has(label)) ? label : `no ${label}`).toBe(label)
      }
      // At least one series of this very test would be drawn.
      const drawn = found.filter(({ labels }) =>
        conditions.every(([label, operator, wanted]) => fits(labels[label] ?? '', operator, wanted)),
      )
      expect(drawn).not.toEqual([])
    }
    const shown = [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, label = '']) => label)
    for (const label of shown) expect(grouping.length === 0 ? ofPrometheus : grouping).toContain(label)
  })

  it('every metric of the exporter is on it', async () => {
    const series = await scrapedOnce()
    const asked = new Set(queries.flatMap(({ expr }) => readQuery(expr).selectors.map(({ metric }) => plain(metric))))
    expect([...asked].toSorted()).toEqual([...new Set(series.map(({ name }) => plain(name)))].toSorted())
  })

  it('its variables ask for labels that there are', async () => {
    const series = await scrapedOnce()
    const asked = dashboard.templating.list.flatMap(({ query }) => (typeof query === 'string' ? [] : [query.query]))
    const [, metric, label = ''] = /^label_values\((\w+), (\w+)\)$/.exec(asked[0] ?? '') ?? []
    expect(asked).toHaveLength(1)
    expect(series.filter(({ name }) => name === metric).every(has(label))).toBe(true)
    expect(series.some(({ name }) => name === metric)).toBe(true)
  })
})

it('the picture of it has every panel, and needs nothing from elsewhere', async () => {
  const picture = await readFile(new URL('tokenwell.svg', file), 'utf8')
  const shown = [...picture.matchAll(/class="title">([^<]*)</g)].map(([, title]) => title)
  expect(shown).toEqual([dashboard.title, ...dashboard.panels.map(({ title }) => title)])
  expect(picture.replace('http://www.w3.org/2000/svg', '')).not.toMatch(/:\/\/|@import|href|url\(|script/)
})

// A test of the test: what is not PromQL, or asks for what is not there, is noticed.
it('reads queries as Prometheus does', () => {
  expect(readQuery('sum by (a, b) (rate(x_total{c=~"d|e",f!=""}[5m])) / y')).toEqual({
    errors: [],
    selectors: [
      {
        metric: 'x_total',
        conditions: [
          ['c', '=~', 'd|e'],
          ['f', '!=', ''],
        ],
      },
      { metric: 'y', conditions: [] },
    ],
    grouping: ['a', 'b'],
  })
  expect(readQuery('sum by (a (x)').errors).not.toEqual([])
})

const plain = (name: string) => name.replace(/_(?:bucket|sum|count)$/, '')
