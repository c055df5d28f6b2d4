/**
 * Tokens of 2 s from a token endpoint that takes 200 ms, under a 16-fold load for 20 s, side by side with the same load on
 * a token that lives an hour: does anybody ever wait for a renewal, or meet a 401?
 */
import { clientSecretBasic, createUpstream, type Upstream } from '../packages/core/dist/index.js'
import { percentile, round, table } from './figures.ts'
import { load } from './load.ts'
import { startServers } from './servers.ts'

const seconds = 20
const servers = await startServers({ expiresIn: 2, delayMs: 200 })
const upstreamOf = (clientId: string): Upstream =>
  createUpstream({
    baseUrl: servers.apiUrl,
    oauth: { tokenEndpoint: servers.tokenEndpoint, clientId, clientAuth: clientSecretBasic('s') },
  })
const upstreams = { short: upstreamOf('short'), long: upstreamOf('long') }
await Promise.all(Object.values(upstreams).map((upstream) => upstream.tokens.get()))
// Both together, so that whatever the machine does meanwhile happens to both.
const until = performance.now() + seconds * 1000
const [short, long] = await Promise.all([load(upstreams.short, 16, until), load(upstreams.long, 16, until)])
const counts = await servers.counts()
const row = (name: 'short' | 'long', { latencies, refused, failed }: typeof short) => [
  name === 'short' ? '2 s' : '1 h',
  latencies.length,
  refused,
  failed,
  round(percentile(latencies, 0.5)),
  round(percentile(latencies, 0.999)),
  round(percentile(latencies, 1)),
  counts[name] ?? 0,
]
console.log(
  table([
    ['token lives', 'calls', '401s', 'failed', 'p50 ms', 'p99.9 ms', 'max ms', 'token requests'],
    row('short', short),
    row('long', long),
  ]),
)
console.log(`p99.9, 2 s : 1 h = ${round(percentile(short.latencies, 0.999) / percentile(long.latencies, 0.999))}`)
await Promise.all(Object.values(upstreams).map((upstream) => upstream.close()))
servers.stop()
