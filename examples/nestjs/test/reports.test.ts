import type { INestApplication } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import { SchedulerRegistry } from '@nestjs/schedule'
import { createAuthorizationServer, createProtectedApi, createScriptedServer } from '@tokenwell/testing'
import { afterEach, expect, test, vi } from 'vitest'
import { AppModule } from '../src/app.module.ts'
import { OpenInvoicesReport } from '../src/reports/open-invoices.report.ts'
import { client, env } from './client.ts'

afterEach(() => {
  vi.unstubAllEnvs()
})

/** The service in this process, as its environment describes it, so that a test need not wait for the night. */
async function startService(apiUrl?: string) {
  const server = await createAuthorizationServer({ clients: [client] })
  const api = await createProtectedApi({ ...server, requiredScope: 'invoices:read' })
  const variables = {
    BILLING_URL: apiUrl ?? `${api.url}/v1`,
    ISSUER: server.issuer,
    JWKS_URI: server.jwksUri,
    AUDIENCE: 'https://orders.example.com',
    CLIENT_ID: client.clientId,
    ...env,
  }
  for (const [name, value] of Object.entries(variables)) vi.stubEnv(name, value)
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
