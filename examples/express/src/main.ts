import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createApp } from './app.ts'
import { createCallerCheck } from './caller.ts'
import { readConfig } from './config.ts'
import { connectUpstreams } from './upstreams.ts'

const config = readConfig(process.env)
const upstreams = connectUpstreams(config)
const app = createApp(upstreams, createCallerCheck(config.callers, 'profile:read'))
const server = app.listen(config.port, config.host)
await once(server, 'listening')
console.log(`Orders: http://${config.host}:${(server.address() as AddressInfo).port}/orders/42`)

await Promise.race([once(process, 'SIGTERM'), once(process, 'SIGINT')])
// In this order, so that requests under way can still make their calls; what takes longer is cut off.
server.close()
setTimeout(() => server.closeAllConnections(), config.graceMs).unref()
await once(server, 'close')
await upstreams.close()
