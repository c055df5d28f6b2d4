import { once } from 'node:events'
import { createApp } from './app.ts'
import { createCallerCheck } from './caller.ts'
import { readConfig } from './config.ts'
import { serveMetrics } from './metrics.ts'
import { connectUpstreams } from './upstreams.ts'

const config = readConfig(process.env)
// Before the upstreams are made, so that nothing is missed.
const metrics = process.argv.includes('--metrics')
  ? await serveMetrics(config.host, Number(process.env['METRICS_PORT'] ?? 9464))
  : undefined
const app = await createApp(connectUpstreams(config), createCallerCheck(config.callers, 'profile:read'))
const url = await app.listen({ port: config.port, host: config.host })
console.log(`Orders: ${url}/orders/42`)
if (metrics !== undefined) console.log(`Metrics: ${metrics.url}`)

await Promise.race([once(process, 'SIGTERM'), once(process, 'SIGINT')])
// Requests under way are waited for; what takes longer is cut off.
setTimeout(() => app.server.closeAllConnections(), config.graceMs).unref()
await app.close()
await metrics?.close()
