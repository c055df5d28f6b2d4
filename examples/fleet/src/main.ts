/**
 * Starts a Redis, an authorization server, an API that takes its tokens, and some processes that call the API all at once.
 * Prints how many token requests each of them made, and fails if it was more than one in all.
 */
import { fork } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { join } from 'node:path'
import { createAuthorizationServer, createProtectedApi, createRedisServer } from '@tokenwell/testing'

interface Report {
  readonly pid: number
  readonly calls: number
  readonly served: number
  readonly tokenRequests: number
}

const size = Number(process.argv[2] ?? 4)
await using redis = await createRedisServer()
await using server = await createAuthorizationServer()
await using api = await createProtectedApi({ ...server, requiredScope: 'invoices:read' })
const settings = {
  redisUrl: redis.url,
  apiUrl: api.url,
  issuer: server.issuer,
  clientId: server.clients.basic.clientId,
  secret: server.clients.basic.secret,
  encryptionKey: randomBytes(32).toString('base64url'),
}

async function runMember(): Promise<Report> {
  const child = fork(join(import.meta.dirname, 'member.ts'), {
    env: { ...process.env, FLEET_SETTINGS: JSON.stringify(settings) },
  })
  const ended = once(child, 'exit')
  const said = await Promise.race([once(child, 'message'), ended.then(() => [undefined])])
  await ended
  const [report] = said as [Report | undefined]
  if (report === undefined) throw new Error('a process ended without a report')
  return report
}

const reports = await Promise.all(Array.from({ length: size }, runMember))
for (const { pid, calls, served, tokenRequests } of reports) {
  console.log(`process ${pid}: ${served} of ${calls} calls served, ${tokenRequests} token requests`)
}
console.log(`in all: ${api.requests.length} calls at the API, ${server.tokenRequestCount} token requests`)
const everythingServed = reports.every(({ calls, served }) => served === calls)
if (!everythingServed || server.tokenRequestCount !== 1) process.exitCode = 1
