/** One process of the fleet: makes some calls at once, and says how many of them went well. */
import { subscribe } from 'node:diagnostics_channel'
import { createClient } from 'redis'
import { createFleetUpstreams, type Settings } from './upstreams.ts'

const settings = JSON.parse(process.env['FLEET_SETTINGS'] ?? '') as Settings & { redisUrl: string }
const client = await createClient({ url: settings.redisUrl })
  .on('error', (error: Error) => console.error(error.message))
  .connect()
const upstreams = createFleetUpstreams(client, settings)

let tokenRequests = 0
subscribe('undici:request:create', (message) => {
  const { request } = message as { request: { method: string; origin: string } }
  if (request.method === 'POST' && settings.issuer.startsWith(request.origin)) tokenRequests += 1
})

const calls = Array.from({ length: 50 }, (_, index) => upstreams.billing.fetch(`/invoices/${index}`))
const answers = await Promise.all(calls)
const served = answers.filter(({ ok }) => ok).length
await Promise.all(answers.map((answer) => answer.arrayBuffer()))
process.send?.({ pid: process.pid, calls: calls.length, served, tokenRequests })
await upstreams.close()
await client.close()
process.disconnect?.()
