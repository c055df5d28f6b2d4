/**
 * Some minutes in the life of two services that use tokenwell, with Prometheus watching: first all is well, then the token
 * endpoint fails, then the API refuses the tokens it is shown. Ends all that it started. Prometheus must be in the PATH.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { createAuthorizationServer, createProtectedApi } from '../../packages/testing/dist/index.js'
import type { Source } from './dashboard.ts'
import { startPrometheus } from './prometheus.ts'
import { startFleet, startOrders } from './services.ts'

/** Lives those minutes and then calls `use` with what Prometheus knows, whose data stays in `folder`. */
export async function live(folder: string, signal: AbortSignal, use: (source: Source) => Promise<void>): Promise<void> {
  const wait = (seconds: number) => delay(seconds * 1000, undefined, { signal })
  await using stack = new AsyncDisposableStack()
  // Short lives, so that renewals are seen.
  const server = stack.use(await createAuthorizationServer({ lifetimeSeconds: 30 }))
  const requiredScope = (path: string) => (path === '/profile' ? 'profile:read' : 'invoices:read')
  const api = stack.use(await createProtectedApi({ ...server, requiredScope }))
  let isFailing = false
  server.onTokenRequest(async () => {
    await delay(20 + Math.random() * 100)
    if (isFailing) throw new Error('Not now')
  })
  const orders = await startOrders(stack, server, api)
  const invoices = await startFleet(stack, server, api)
  const prometheus = await startPrometheus(stack, folder, { orders, invoices })
  const from = new Date()
  await wait(130)
  isFailing = true
  await wait(70)
  isFailing = false
  await wait(90)
  for (let times = 0; times < 10; times++) {
    api.revokeAll()
    await wait(5)
  }
  await wait(80)
  await use({ prometheus, from, to: new Date() })
}
