/** Tokens of 2 s from a token endpoint that takes 200 ms: does anybody wait for a renewal, or meet a 401? */
import { setTimeout } from 'node:timers/promises'
import { assemble, limit, noise, tokenClients } from './field.ts'
import { paced, rowsOf, tableOf } from './paced.ts'
import { publish, quick } from './publish.ts'
import { startServers } from './servers.ts'

const load = { perSecond: 40, forMs: quick ? 5000 : 30_000 }
const endpoint = { expiresIn: 2, delayMs: 200 }

const servers = await startServers(endpoint)
const field = await assemble([limit, noise, ...tokenClients], servers, { lifetimeMs: endpoint.expiresIn * 1000 })
const settleMs = 4000
// Without a break between what compiles and what counts, since a token that short does not outlive one.
const made = await paced(field, { ...load, settleMs }, async () => {
  await setTimeout(settleMs)
  await servers.counts()
})
const rows = rowsOf(field, made, await servers.counts())
console.log(tableOf(rows))
publish({ ...load, ...endpoint, rows, absent: field.absent })
field.stop()
servers.stop()
