import type { INestApplication } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import { SchedulerRegistry } from '@nestjs/schedule'
import { createAuthorizationServer, createProtectedApi, createScriptedServer } from '@tokenwell/testing'
import { generateKeyPairSync } from 'node:crypto'
import { afterEach, expect, test, vi } from 'vitest'
import { AppModule } from '../src/app.module.ts'
import { OpenInvoicesReport } from '../src/reports/open-invoices.report.ts'

const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const jwk = { ...publicKey.export({ format: 'jwk' }), kid: 'orders-1', alg: 'ES256', use: 'sig' }
const client = {
  clientId: 'orders',
  method: 'private_key_jwt',
  algorithm: 'ES256',
  publicJwks: { keys: [jwk] },
  scopes: ['invoices:read'],
} as const

afterEach(() => {
  vi.unstubAllEnvs()
})

/** The service, as its environment describes it, with the API in front of it. */
async function startService(apiUrl?: string) {
  const server = await createAuthorizationServer({ clients: [client] })
  const api = await createProtectedApi({ ...server, requiredScope: 'invoices:read' })
  vi.stubEnv('BILLING_URL', apiUrl ?? `${api.url}/v1`)
  vi.stubEnv('BILLING_ISSUER', server.issuer)
  vi.stubEnv('BILLING_CLIENT_ID', client.clientId)
  vi.stubEnv('BILLING_PRIVATE_KEY', privateKey.export({ format: 'pem', type: 'pkcs8' }))
  vi.stubEnv('BILLING_KEY_ID', jwk.kid)
  const app: INestApplication = await NestFactory.create(AppModule, { logger: false, abortOnError: false })
  await app.listen(0, '127.0.0.1')
  const url = await app.getUrl()
  return {
    app,
    api,
    async get(path: string, headers: Record<string, string> = {}) {
      const response = await fetch(url + path, { headers: { connection: 'close', ...headers } })
      return { status: response.status, body: (await response.json()) as Record<string, unknown> }
    },
    async [Symbol.asyncDispose]() {
      await app.close()
      await Promise.all([api.close(), server.close()])
    },
  }
}

test('an order comes with its invoice', async () => {
  await using service = await startService()
  const { status, body } = await service.get('/orders/42', { 'x-request-id': 'r-1' })
  expect(status).toBe(200)
  expect(body).toMatchObject({
    id: '42',
    invoice: { path: '/v1/invoices/42', clientId: 'orders', headers: { 'x-request-id': 'r-1' } },
  })
})

test.each([
  [404, 404, 'There is no invoice for order 42'],
  [500, 502, 'Billing answered 500'],
])('what billing answers %i, the caller is answered %i', async (answer, status, message) => {
  await using api = await createScriptedServer({ status: answer })
  await using service = await startService(api.url)
  expect(await service.get('/orders/42')).toMatchObject({ status, body: { message } })
})

test('a billing that cannot be reached is a 502 that tells nothing', async () => {
  const api = await createScriptedServer()
  await api.close()
  await using service = await startService(api.url)
  const answer = await service.get('/orders/42')
  expect(answer).toEqual({ status: 502, body: { statusCode: 502, message: 'Bad Gateway' } })
})

test('the nightly job reports the open invoices, by a request id of its own', async () => {
  await using service = await startService()
  expect(await service.get('/reports/open-invoices')).toMatchObject({ status: 404 })
  await service.app.get(SchedulerRegistry).getCronJob('open-invoices').fireOnTick()
  expect(await service.get('/reports/open-invoices', { 'x-request-id': 'r-1' })).toMatchObject({
    status: 200,
    body: {
      at: expect.any(String),
      invoices: {
        path: '/v1/invoices?state=open',
        clientId: 'orders',
        headers: { 'x-request-id': expect.stringMatching(/^[0-9a-f-]{36}$/) },
      },
    },
  })
})

test('a job under way has its answer before the service ends', async () => {
  const [reached, release] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  await using api = await createScriptedServer(async () => {
    reached.resolve()
    await release.promise
    return { body: [] }
  })
  const service = await startService(api.url)
  const report = service.app.get(OpenInvoicesReport)
  void service.app.get(SchedulerRegistry).getCronJob('open-invoices').fireOnTick()
  await reached.promise
  const ended = service[Symbol.asyncDispose]()
  release.resolve()
  await ended
  expect(report.latest).toMatchObject({ invoices: [] })
})

test('is live and ready', async () => {
  await using service = await startService()
  expect(await service.get('/orders/42')).toMatchObject({ status: 200 })
  expect(await service.get('/health/live')).toMatchObject({ status: 200, body: { status: 'ok' } })
  expect(await service.get('/health/ready')).toMatchObject({
    status: 200,
    body: { status: 'ok', details: { upstreams: { status: 'up', upstreams: { billing: 'ok' } } } },
  })
})
