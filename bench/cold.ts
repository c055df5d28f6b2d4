/** 1,000 first calls at once: token requests, and how long until all are answered. */
import { setTimeout } from 'node:timers/promises'
import { assemble, limit, noise, tokenClients } from './field.ts'
import { round, spread, table, withSpread } from './figures.ts'
import { publish, quick } from './publish.ts'
import { startServers } from './servers.ts'
import { failuresOf, kinds, total } from './tally.ts'

const calls = quick ? 100 : 1000
// The first round of several compiles: its times do not count, its failures do.
const rounds = quick ? 1 : 7
const endpointMs = 50
// Long enough for a thousand connections to be closed.
const pauseMs = quick ? 0 : 100

interface Seen {
  readonly ms: number[]
  readonly cpuMs: number[]
  readonly requests: number[]
}

const files = [limit, noise, 'request-by-hand', ...tokenClients]
const servers = await startServers({ delayMs: endpointMs }, files.length)
const field = await assemble(files, servers)
const seen = new Map<string, Seen>(field.runners.map(({ file }) => [file, { ms: [], cpuMs: [], requests: [] }]))
const failures = new Map<string, Record<string, number>>()
// Each has the API on a port of its own. A closed connection keeps its own port for a minute from being used for another to
// the same one: with all of them to one port, the system would look for a free one longer than the call takes, for whoever is unlucky.
const serversOf = (file: string) => ({ ...servers, apiUrl: servers.apiUrls[files.indexOf(file)] ?? servers.apiUrl })
const startAnew = (runner: (typeof field.runners)[number]) => runner.restart(serversOf(runner.file), 3_600_000)
for (const runner of field.runners) await startAnew(runner)
for (let turn = 0; turn < rounds; turn++) {
  for (let index = 0; index < field.runners.length; index++) {
    const runner = field.runners[(index + turn) % field.runners.length]
    if (runner === undefined) continue
    await servers.counts()
    const made = await runner.batch(calls, calls)
    const tally = failures.get(runner.file) ?? {}
    for (const [kind, count] of Object.entries(failuresOf(made))) tally[kind] = (tally[kind] ?? 0) + count
    failures.set(runner.file, tally)
    const requests = (await servers.counts())[runner.file] ?? 0
    // At once, so that its connections are closed in nobody's time.
    await startAnew(runner)
    await setTimeout(pauseMs)
    if (turn === 0 && rounds > 1) continue
    seen.get(runner.file)?.ms.push(made.ms)
    seen.get(runner.file)?.cpuMs.push(made.cpuMs)
    seen.get(runner.file)?.requests.push(requests)
  }
}
const limits = seen.get(limit)
const rows = field.runners.map(({ file, name, version }) => {
  const { ms, cpuMs, requests } = seen.get(file) ?? { ms: [], cpuMs: [], requests: [] }
  return {
    file,
    name,
    version,
    ms: spread(ms),
    ratio: spread(ms.map((value, index) => value / (limits?.ms[index] ?? Number.NaN))),
    cpuMs: spread(cpuMs),
    cpuRatio: spread(cpuMs.map((value, index) => value / (limits?.cpuMs[index] ?? Number.NaN))),
    tokenRequests: spread(requests),
    failures: failures.get(file) ?? {},
  }
})
console.log(
  table([
    ['contender', 'token requests', 'ms until all answered', 'to the limit', 'CPU ms', 'to the limit', 'failed', 'how'],
    ...rows.map((row) => [
      row.name,
      withSpread(row.tokenRequests, 0),
      round(row.ms.median, 0),
      withSpread(row.ratio),
      round(row.cpuMs.median, 0),
      withSpread(row.cpuRatio),
      total(row.failures),
      kinds(row.failures),
    ]),
  ]),
)
publish({ calls, rounds, endpointMs, rows, absent: field.absent })
field.stop()
servers.stop()
