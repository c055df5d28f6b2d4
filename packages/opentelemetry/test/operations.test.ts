import { readFile } from 'node:fs/promises'
import { expect, it } from 'vitest'
import { readQuery } from './promql.ts'

const root = new URL('../../../', import.meta.url)
const page = await readFile(new URL('docs/operations.md', root), 'utf8')
const dashboard = await readFile(new URL('docs/grafana/tokenwell.json', root), 'utf8')

const alerts = [...page.matchAll(/^```promql\n(.*?)^```$/gms)].map(([, query = '']) => query)

// That there are these metrics is what the dashboard's test says.
it.each(alerts)('an alert is PromQL about metrics and labels of the dashboard: %s', (query) => {
  const { errors, selectors, grouping } = readQuery(query)
  expect(errors).toEqual([])
  expect(selectors).not.toEqual([])
  for (const { metric, conditions } of selectors) {
    expect(dashboard).toContain(metric)
    for (const [label] of conditions) expect(dashboard).toContain(label)
  }
  for (const label of grouping) expect(dashboard).toContain(label)
})

it('there are alerts', () => expect(alerts.length).toBeGreaterThan(5))

it('every error type is explained', async () => {
  const source = async (path: string) => readFile(new URL(`packages/core/src/${path}`, root), 'utf8')
  const codes = (await source('errors.ts')).matchAll(/'(ERR_TOKENWELL_\w+)'/g)
  const [, list = ''] = /oauthErrorCodes = \[(.*?)\]/s.exec(await source('diagnostics/error-type.ts')) ?? []
  const oauth = list.matchAll(/'(\w+)'/g)
  const all = [...codes, ...oauth].map(([, name = '']) => name)
  expect(all.length).toBeGreaterThan(20)
  for (const name of [...all, 'AbortError', 'TimeoutError', '_OTHER']) expect(page).toContain(`\`${name}\``)
})

it('every line of the log is explained', async () => {
  const sources = ['source/token-trouble.ts', 'source/shared-tier.ts', 'diagnostics/call-events.ts']
  const texts = await Promise.all(sources.map((path) => readFile(new URL(`packages/core/src/${path}`, root), 'utf8')))
  const begun = [...page.matchAll(/^\| `((?:The|This) [^`]+)`/gm)].map(([, text = '']) => text)
  const written = [...texts.join('\n').matchAll(/["'`]((?:The|This) [^:]*?)(?: \(\$\{errorType\(error\)\}\))?: check/g)]
  expect(written.map(([, text = '']) => text).toSorted()).toEqual(begun.toSorted())
})
