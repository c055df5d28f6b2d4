/** The API refuses all tokens issued so far, several times under load: failed calls and token requests. */
import { setTimeout } from 'node:timers/promises'
import { assemble, limit, noise, tokenClients } from './field.ts'
import { paced, rowsOf, tableOf } from './paced.ts'
import { publish, quick } from './publish.ts'
import { startServers } from './servers.ts'

const revocations = quick ? 1 : 4
const everyMs = 3000
const load = { perSecond: 30, forMs: (revocations + 1) * everyMs }
const endpoint = { delayMs: 50 }

const servers = await startServers(endpoint)
const field = await assemble([limit, noise, ...tokenClients], servers)
await paced(field, { perSecond: load.perSecond, forMs: 2000 }, async () => {})
await setTimeout(500)
await servers.counts()
const made = await paced(field, load, async () => {
  for (let done = 0; done < revocations; done++) {
    await setTimeout(everyMs)
    servers.revoke()
  }
})
const rows = rowsOf(field, made, await servers.counts())
console.log(tableOf(rows))
publish({ ...load, ...endpoint, revocations, everyMs, rows, absent: field.absent })
field.stop()
servers.stop()
