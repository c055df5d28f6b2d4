import { setTimeout as pause } from 'node:timers/promises'
import { createAuthorizationServer, createProtectedApi, createScriptedServer } from '@tokenwell/testing'
import type { AuthorizationServer } from '@tokenwell/testing'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startWorker } from './worker-process.ts'

let server: AuthorizationServer
beforeAll(async () => {
  server = await createAuthorizationServer()
})
afterAll(() => server.close())

function workerFor(apiUrl: string, env: Record<string, string> = {}) {
  const { clientId, secret } = server.clients.basic
  return startWorker({
    ISSUER: server.issuer,
    CLIENT_ID: clientId,
    CLIENT_SECRET: secret,
    BILLING_URL: `${apiUrl}/v1`,
    INTERVAL_MS: '20',
    ...env,
  })
}

const cleanly = { code: 0, signal: null }

test('each run asks billing with the one token and a correlation id of its own, and SIGTERM ends the worker', async () => {
  await using api = await createProtectedApi({ ...server, requiredScope: 'invoices:read' })
  const before = server.tokenRequestCount
  await using worker = workerFor(api.url)
  const runs = [await worker.next(), await worker.next(), await worker.next()]
  for (const run of runs) expect(run).toMatchObject({ path: '/v1/invoices?state=open', clientId: 'orders-basic' })
  const ids = runs.map((run) => (run as { headers: Record<string, string> }).headers['x-request-id'])
  expect(new Set(ids).size).toBe(3)
  expect(server.tokenRequestCount).toBe(before + 1)
  worker.kill('SIGTERM')
  expect(await worker.ended).toEqual(cleanly)
  expect(worker.complaint).toBe('')
})

test('a run under way has its answer before the worker ends', async () => {
  const [reached, release] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  await using api = await createScriptedServer(async () => {
    reached.resolve()
    await release.promise
    return { body: ['the answer'] }
  })
  await using worker = workerFor(api.url, { INTERVAL_MS: '3600000' })
  await reached.promise
  worker.kill('SIGTERM')
  // Nothing tells from outside that it has heard the signal.
  await pause(200)
  release.resolve()
  expect(await worker.next()).toEqual(['the answer'])
  expect(await worker.ended).toEqual(cleanly)
  expect(api.requests).toHaveLength(1)
  expect(worker.complaint).toBe('')
})

test('the pause between two runs ends with SIGTERM', async () => {
  await using api = await createScriptedServer({ body: [] })
  await using worker = workerFor(api.url, { INTERVAL_MS: '3600000' })
  await worker.next()
  worker.kill('SIGTERM')
  expect(await worker.ended).toEqual(cleanly)
})

test('a run that billing does not answer is aborted when the grace is over, and the worker ends cleanly', async () => {
  const reached = Promise.withResolvers<void>()
  await using api = await createScriptedServer(() => {
    reached.resolve()
    return { hang: true }
  })
  await using worker = workerFor(api.url, { GRACE_MS: '50', RUN_MS: '60000' })
  await reached.promise
  worker.kill('SIGTERM')
  expect(await worker.ended).toEqual(cleanly)
  expect(worker.complaint).toContain('The worker was asked to end')
})

test('a run has a deadline, and those after it come all the same', async () => {
  let answers = 0
  await using api = await createScriptedServer(() => (++answers === 1 ? { hang: true } : { body: [answers] }))
  await using worker = workerFor(api.url, { RUN_MS: '400' })
  expect(await worker.next()).toEqual([2])
  expect(worker.complaint).toContain('UpstreamTimeoutError')
  worker.kill('SIGTERM')
  expect(await worker.ended).toEqual(cleanly)
})

test('a variable that is missing or wrong is named, and nothing is started', async () => {
  await using worker = workerFor('http://localhost:1', { INTERVAL_MS: 'often' })
  expect(await worker.ended).toMatchObject({ code: 1 })
  expect(worker.complaint).toContain('INTERVAL_MS is not a time in milliseconds')
})
