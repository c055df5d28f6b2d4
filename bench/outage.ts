/**
 * The token endpoint answers 503 for a minute while a token of an hour has a minute and a half to live. The hour is not waited
 * for: when the outage begins, the clocks of all contenders are set on, and the API goes on taking the token, as it should.
 */
import { setTimeout } from 'node:timers/promises'
import type { Calls } from './contender-process.ts'
import { assemble, limit, noise, tokenClients } from './field.ts'
import { percentile } from './figures.ts'
import { paced, rowsOf, tableOf } from './paced.ts'
import { publish, quick } from './publish.ts'
import { startServers } from './servers.ts'

const lifeMs = 3_600_000
const beforeMs = quick ? 3000 : 10_000
const outageMs = quick ? 6000 : 60_000
// What is left of the token when the outage ends; no longer, so that who has not got another by then shows it.
const leftMs = quick ? 10_000 : 35_000
const afterMs = quick ? 6000 : 25_000
const load = { perSecond: 30, forMs: beforeMs + outageMs + afterMs }
const endpoint = { delayMs: 50 }

/** One second of the course. */
export interface Second {
  /** Milliseconds, of the calls that were answered 200; null when there was none. */
  readonly p99: number | null
  readonly failed: number
  readonly calls: number
}

/** Second by second, for a chart. */
function course({ startedMs, latenciesMs, outcomes }: Calls): Second[] {
  const seconds = Array.from({ length: load.forMs / 1000 }, () => ({ good: [] as number[], failed: 0 }))
  for (const [index, started] of startedMs.entries()) {
    const second = seconds[Math.floor(started / 1000)]
    if (outcomes[index] === '200') second?.good.push(latenciesMs[index] ?? 0)
    else if (second !== undefined) second.failed += 1
  }
  return seconds.map(({ good, failed }) => ({
    p99: good.length === 0 ? null : Math.round(percentile(good, 0.99) * 100) / 100,
    failed,
    calls: good.length + failed,
  }))
}

const servers = await startServers(endpoint)
const field = await assemble([limit, noise, ...tokenClients], servers, { lifetimeMs: lifeMs, clockMoves: true })
await paced(field, { perSecond: load.perSecond, forMs: 2000 }, async () => {})
// Once more from nothing, so that all tokens are of one age.
await Promise.all(field.runners.map((runner) => runner.restart(servers, lifeMs)))
await Promise.all(field.runners.map((runner) => runner.batch(1, 1)))
const issuedAt = performance.now()
await servers.counts()
const requests = { during: {} as Record<string, number>, after: {} as Record<string, number> }
const made = await paced(field, load, async () => {
  await setTimeout(beforeMs)
  servers.set({ down: true })
  const aheadMs = lifeMs - (performance.now() - issuedAt) - outageMs - leftMs
  await Promise.all(field.runners.map((runner) => runner.ahead(aheadMs)))
  await setTimeout(outageMs)
  servers.set({ down: false })
  requests.during = await servers.counts()
})
requests.after = await servers.counts()
const rows = rowsOf(field, made, requests.during).map((row) => ({
  ...row,
  tokenRequestsAfter: requests.after[row.file] ?? 0,
  course: course(made.get(row.file) ?? { ms: 0, cpuMs: 0, startedMs: [], latenciesMs: [], outcomes: [] }),
}))
console.log(tableOf(rows))
console.log('\nToken requests are those during the outage.')
publish({ ...load, ...endpoint, lifeMs, beforeMs, outageMs, afterMs, rows, absent: field.absent })
field.stop()
servers.stop()
