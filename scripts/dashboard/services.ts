import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { createClient } from 'redis'
import { serveMetrics } from '../../examples/fastify/src/metrics.ts'
import { createFleetUpstreams } from '../../examples/fleet/src/upstreams.ts'
import { createRedisServer, type AuthorizationServer, type ProtectedApi } from '../../packages/testing/dist/index.js'
import { root } from '../workspace.ts'

const audience = 'https://orders.example.com'

/** The Fastify example, as a process of its own, called for itself and on behalf of some users. Returns its metrics' address. */
export async function startOrders(stack: AsyncDisposableStack, server: AuthorizationServer, api: ProtectedApi) {
  const { clientId, secret } = server.clients.post
  const child = spawn(process.execPath, [join(root, 'examples/fastify/src/main.ts'), '--metrics'], {
    env: {
      PATH: process.env['PATH'],
      BILLING_URL: api.url,
      ISSUER: server.issuer,
      JWKS_URI: server.jwksUri,
      AUDIENCE: audience,
      CLIENT_ID: clientId,
      CLIENT_SECRET: secret,
      PORT: '0',
      METRICS_PORT: '0',
    },
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const ended = once(child, 'exit')
  stack.defer(async () => {
    child.kill()
    await ended
  })
  const urls: string[] = []
  for await (const line of createInterface(child.stdout)) {
    urls.push(/http\S+/.exec(line)?.[0] ?? '')
    if (urls.length === 2) break
  }
  const [url = '', metrics = ''] = urls
  const profile = new URL('/profile', url)
  const tokens = await Promise.all(
    ['alice', 'bob', 'carol', 'dave'].map((subject) =>
      server.issueAccessToken({
        clientId: server.clients.publicClient.clientId,
        subject,
        scope: 'profile:read',
        resource: audience,
        lifetimeSeconds: 3600,
      }),
    ),
  )
  const as = (token = '') => fetch(profile, { headers: { authorization: `Bearer ${token}` } })
  let turn = 0
  repeat(stack, 400, () => fetch(url))
  repeat(stack, 1000, () => as(tokens[turn++ % 3]))
  // One who comes so seldom that the last token has expired.
  repeat(stack, 40_000, () => as(tokens[3]))
  return metrics
}

/** Two members of a fleet that share a cache. Returns their metrics' address. */
export async function startFleet(stack: AsyncDisposableStack, server: AuthorizationServer, api: ProtectedApi) {
  const metrics = await serveMetrics('127.0.0.1', 0)
  stack.defer(() => metrics.close())
  const redis = stack.use(await createRedisServer())
  const { clientId, secret } = server.clients.basic
  const encryptionKey = randomBytes(32).toString('base64url')
  for (let member = 0; member < 2; member++) {
    const client = await createClient({ url: redis.url })
      .on('error', () => undefined)
      .connect()
    const settings = { apiUrl: api.url, issuer: server.issuer, clientId, secret, encryptionKey }
    const upstreams = createFleetUpstreams(client, settings)
    stack.defer(async () => {
      await upstreams.close()
      await client.close()
    })
    repeat(stack, 1000, () => upstreams.billing.fetch('/invoices/7'))
  }
  return metrics.url
}

/** Calls again and again; what the answer is does not matter here. */
function repeat(stack: AsyncDisposableStack, everyMs: number, call: () => Promise<Response>) {
  const make = () =>
    void call().then(
      (response) => response.arrayBuffer(),
      () => undefined,
    )
  make()
  const timer = setInterval(make, everyMs)
  stack.defer(() => clearInterval(timer))
}
