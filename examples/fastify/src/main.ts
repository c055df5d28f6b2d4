import { once } from 'node:events'
import { createApp } from './app.ts'
import { readConfig } from './config.ts'
import { connectUpstreams } from './upstreams.ts'

const config = readConfig(process.env)
const app = await createApp(connectUpstreams(config))
const url = await app.listen({ port: config.port, host: config.host })
console.log(`Orders: ${url}/orders/42`)

await Promise.race([once(process, 'SIGTERM'), once(process, 'SIGINT')])
await app.close()
