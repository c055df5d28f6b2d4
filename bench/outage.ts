/** The token endpoint answers 503 for 60 s while the token at hand has 90 s to live, under a 16-fold load. */
import { setTimeout } from 'node:timers/promises'
import { clientSecretBasic, createUpstream, type Clock } from '../packages/core/dist/index.js'
import { round, table } from './figures.ts'
import { load } from './load.ts'
import { startServers } from './servers.ts'

const seconds = 60
// A token of 450 s turns stale with 90 s left. The clock is set on by 360 s, rather than waited for.
const lifeSeconds = 450
let aheadMs = 0
const clock: Clock = {
  now: () => Date.now() + aheadMs,
  monotonic: () => performance.now() + aheadMs,
  setTimer(callback, delayMs) {
    const timer = globalThis.setTimeout(callback, delayMs)
    return () => clearTimeout(timer)
  },
}
const servers = await startServers({ expiresIn: lifeSeconds })
const upstream = createUpstream({
  baseUrl: servers.apiUrl,
  oauth: { tokenEndpoint: servers.tokenEndpoint, clientId: 'outage', clientAuth: clientSecretBasic('s'), clock },
})
const first = await upstream.tokens.get()
aheadMs = (lifeSeconds - 90) * 1000
servers.set({ down: true })
await servers.counts()
const during = await load(upstream, 16, performance.now() + seconds * 1000)
const requests = (await servers.counts())['outage'] ?? 0
servers.set({ down: false })
// The next attempt may be up to half a minute away; it must come before the token ends.
const ended = performance.now() + 30_000
let renewed = false
while (!renewed && performance.now() < ended) {
  renewed = (await upstream.tokens.get()).generation !== first.generation
  await setTimeout(50)
}
console.log(
  table([
    ['outage', 'calls', '401s', 'failed', 'token requests', 'renewed afterwards'],
    [
      `${seconds} s`,
      during.latencies.length,
      during.refused,
      during.failed,
      requests,
      renewed ? `yes, after ${round((performance.now() - ended + 30_000) / 1000, 1)} s` : 'no',
    ],
  ]),
)
await upstream.close()
servers.stop()
if (during.failed + during.refused > 0 || !renewed) process.exitCode = 1
