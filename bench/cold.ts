/** 1,000 first calls at once: token requests, and how long until all are answered. */
import { assemble, limit, noise, tokenClients } from './field.ts'
import { round, spread, table, withSpread } from './figures.ts'
import { publish, quick } from './publish.ts'
import { startServers } from './servers.ts'
import { failuresOf, kinds, total } from './tally.ts'

const calls = quick ? 100 : 1000
// The first round of several compiles: its times do not count, its failures do.
const rounds = quick ? 1 : 7
const endpointMs = 50

const servers = await startServers({ delayMs: endpointMs })
const field = await assemble([limit, noise, ...tokenClients], servers)
const seen = new Map(field.runners.map(({ file }) => [file, { ms: [] as number[], requests: [] as number[] }]))
const failures = new Map<string, Record<string, number>>()
for (let turn = 0; turn < rounds; turn++) {
  for (let index = 0; index < field.runners.length; index++) {
    const runner = field.runners[(index + turn) % field.runners.length]
    if (runner === undefined) continue
    await runner.restart(servers, 3_600_000)
    await servers.counts()
    const made = await runner.batch(calls, calls)
    const tally = failures.get(runner.file) ?? {}
    for (const [kind, count] of Object.entries(failuresOf(made))) tally[kind] = (tally[kind] ?? 0) + count
    failures.set(runner.file, tally)
    const requests = (await servers.counts())[runner.file] ?? 0
    if (turn === 0 && rounds > 1) continue
    seen.get(runner.file)?.ms.push(made.ms)
    seen.get(runner.file)?.requests.push(requests)
  }
}
const limits = seen.get(limit)?.ms ?? []
const rows = field.runners.map(({ file, name, version }) => {
  const { ms, requests } = seen.get(file) ?? { ms: [], requests: [] }
  return {
    file,
    name,
    version,
    ms: spread(ms),
    ratio: spread(ms.map((value, index) => value / (limits[index] ?? Number.NaN))),
    tokenRequests: spread(requests),
    failures: failures.get(file) ?? {},
  }
})
console.log(
  table([
    ['contender', 'token requests', 'ms until all answered', 'to the limit', 'failed', 'how'],
    ...rows.map((row) => [
      row.name,
      withSpread(row.tokenRequests, 0),
      round(row.ms.median, 0),
      withSpread(row.ratio),
      total(row.failures),
      kinds(row.failures),
    ]),
  ]),
)
publish({ calls, rounds, endpointMs, rows, absent: field.absent })
field.stop()
servers.stop()
