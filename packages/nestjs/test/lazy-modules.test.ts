import 'reflect-metadata'

import { Injectable, Module } from '@nestjs/common'
import { LazyModuleLoader } from '@nestjs/core'
import { startServers, urlOf, type Servers } from '@tokenwell/adapter-suite'
import type { Upstream } from '@tokenwell/core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { InjectUpstream, TokenwellModule } from '../src/index.ts'
import { appOf, create, Invoices, listen, nestMajor, platforms, start, type Seen } from './applications.ts'

let servers: Servers
beforeAll(async () => {
  servers = await startServers()
})
afterAll(() => servers[Symbol.asyncDispose]())

@Injectable()
class Reports {
  constructor(@InjectUpstream('billing') readonly billing: Upstream) {}
}
@Module({ providers: [Reports], exports: [Reports] })
class ReportsModule {}

describe.each(platforms)(`a lazily loaded module, Nest ${nestMajor} on $platform`, ({ createAdapter }) => {
  test("calls with the application's upstreams, in the context of the request that loaded it", async () => {
    @Injectable()
    class LazyInvoices {
      constructor(private readonly loader: LazyModuleLoader) {}

      async get(): Promise<Seen> {
        const reports = (await this.loader.load(() => ReportsModule)).get(Reports)
        return (await (await reports.billing.fetch('/reports')).json()) as Seen
      }
    }
    const upstreams = servers.createBilling()
    const root = appOf(TokenwellModule.forRoot({ upstreams }))
    @Module({ imports: [root], providers: [{ provide: 'lazy', useClass: LazyInvoices }] })
    class App {}
    const app = await create(App, createAdapter())
    // Its controller then answers with what the lazily loaded module gets.
    const invoices = app.get(Invoices)
    invoices.get = () => app.get<LazyInvoices>('lazy').get()
    await using service = await listen(app)
    for (const id of ['r-1', 'r-2']) {
      const response = await fetch(urlOf(service), { headers: { 'x-request-id': id } })
      expect(await response.json()).toMatchObject({ path: '/v1/reports', headers: { 'x-request-id': id } })
    }
  })
})

// Nest gives it no hooks and no middleware, and asks the application's upstreams before those that it imports.
test('a lazily loaded module cannot bring upstreams', async () => {
  await using own = servers.createBilling()
  @Module({ imports: [TokenwellModule.forFeature({ upstreams: own })], providers: [Reports] })
  class OwnReports {}
  await using app = await start(appOf(TokenwellModule.forRoot({ upstreams: servers.createBilling() })))
  const loading = app.get(LazyModuleLoader).load(() => OwnReports)
  await expect(loading).rejects.toThrow(
    new TypeError('TokenwellModule: a module that is loaded lazily cannot bring upstreams, only inject them'),
  )
})
