import { readdir, readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { runScenario, type Scenario } from './run-scenario.ts'

const files = (await readdir(import.meta.dirname)).filter((file) => file.endsWith('.json'))
const suites = await Promise.all(
  files.map(async (file) => {
    const scenarios = JSON.parse(await readFile(new URL(file, import.meta.url), 'utf8')) as Scenario[]
    return { title: file.replace('.json', '').replaceAll('-', ' '), scenarios }
  }),
)

describe.each(suites)('$title', ({ scenarios }) => {
  // By loop, since a table shortens long names.
  for (const scenario of scenarios) {
    it(scenario.name, async () => {
      const outcomes = await runScenario(scenario)
      const expected = scenario.steps.map(({ at, gives, with: members, takes = 0, requests, renewsAt }) => {
        return { at, gives, with: members, takes, requests, renewsAt }
      })
      expect(outcomes).toEqual(expected)
    })
  }
})
