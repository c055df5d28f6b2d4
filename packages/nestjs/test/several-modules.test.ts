import 'reflect-metadata'

import { Injectable, Module, type DynamicModule, type Type } from '@nestjs/common'
import { createUpstreams, type Upstream, type Upstreams } from '@tokenwell/core'
import { createScriptedServer, tokenReply, type ScriptedServer } from '@tokenwell/testing'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'

import { InjectUpstream, InjectUpstreams, TokenwellModule } from '../src/index.ts'
import { start } from './applications.ts'

let server: ScriptedServer
beforeAll(async () => {
  server = await createScriptedServer(({ path }) => (path === '/token' ? tokenReply() : { body: { path } }))
})
afterAll(() => server.close())

/** Upstreams of these names, whose API answers with the path that was asked for: `/<of>/<name>/<path>`. */
function upstreamsOf<Name extends string>(of: string, ...names: Name[]): Upstreams<Name> {
  const oauth = { tokenEndpoint: `${server.url}/token`, clientId: of, clientAuth: () => ({}) }
  const options = names.map((name) => [name, { baseUrl: `${server.url}/${of}/${name}`, oauth }])
  return createUpstreams(Object.fromEntries(options) as never) as Upstreams<Name>
}

async function answerOf(upstream: Upstream): Promise<unknown> {
  return ((await (await upstream.fetch('/x')).json()) as { path: unknown }).path
}

@Injectable()
class BillingAndHr {
  constructor(
    @InjectUpstream('billing') readonly billing: Upstream,
    @InjectUpstream('hr') readonly hr: Upstream,
  ) {}

  answers() {
    return Promise.all([answerOf(this.billing), answerOf(this.hr)])
  }
}

function withProviders(imports: (DynamicModule | Type)[], ...providers: Type[]): Type {
  @Module({ imports, providers, exports: providers })
  class WithProviders {}
  return WithProviders
}

const root = (upstreams: Upstreams<never>) => TokenwellModule.forRoot({ upstreams })
const rootAsync = (upstreams: Upstreams<never>, names?: string[]) =>
  TokenwellModule.forRootAsync({ useFactory: () => ({ upstreams }), ...(names && { names }) })

describe('two modules for the whole application', () => {
  test.each([
    ['forRoot twice', () => [root(upstreamsOf('a', 'billing')), root(upstreamsOf('b', 'hr'))]],
    [
      'forRootAsync twice, with names',
      () => [rootAsync(upstreamsOf('a', 'billing'), ['billing']), rootAsync(upstreamsOf('b', 'hr'), ['hr'])],
    ],
    [
      'forRootAsync with names, and forRoot',
      () => [rootAsync(upstreamsOf('a', 'billing'), ['billing']), root(upstreamsOf('b', 'hr'))],
    ],
  ])('have upstreams of different names: %s', async (_, imports) => {
    @Injectable()
    class Everything {
      constructor(@InjectUpstreams() readonly upstreams: Upstreams) {}
    }
    await using app = await start(withProviders(imports(), BillingAndHr, Everything))
    expect(await app.get(BillingAndHr).answers()).toEqual(['/a/billing/x', '/b/hr/x'])
    // Of all upstreams together, those of the module that was imported first.
    expect(Object.keys(app.get(Everything).upstreams)).toContain('billing')
  })

  test.each([
    ['forRoot twice', () => [root(upstreamsOf('a', 'billing', 'hr')), root(upstreamsOf('b', 'hr'))]],
    [
      'forRootAsync twice, without names',
      () => [rootAsync(upstreamsOf('a', 'billing')), rootAsync(upstreamsOf('b', 'hr'))],
    ],
    [
      'forRoot, and forRootAsync without names',
      () => [root(upstreamsOf('a', 'billing')), rootAsync(upstreamsOf('b', 'hr'))],
    ],
  ])('do not start where it is not clear whose upstream a name means: %s', async (_, imports) => {
    const starting = start(withProviders(imports(), BillingAndHr))
    await expect(starting).rejects.toThrow(/^TokenwellModule: \w+ imports two upstreams "(?:billing|hr)"; .*`names`/)
    await expect(starting).rejects.toThrow(TypeError)
  })

  // Regression J65: no second cache.
  test('share the upstreams that both were given', async () => {
    const upstreams = upstreamsOf('shared', 'billing', 'hr')
    const library = withProviders([root(upstreams)], BillingAndHr)
    @Injectable()
    class Own extends BillingAndHr {}
    const before = server.requests.length
    const app = await start(withProviders([root(upstreams), library], Own))
    expect(app.get(Own).billing).toBe(app.get(BillingAndHr).billing)
    await Promise.all([app.get(Own).answers(), app.get(BillingAndHr).answers()])
    const tokenRequests = server.requests.slice(before).filter(({ path }) => path === '/token')
    // One for each upstream, which are two clients.
    expect(tokenRequests).toHaveLength(2)
    await app.close()
    await expect(upstreams.billing.fetch('/x')).rejects.toMatchObject({ code: 'ERR_TOKENWELL_CLOSED' })
  })
})

// Regression J65: an import is not an instance.
test('one module that is imported in several places is there once', async () => {
  const upstreams = upstreamsOf('once', 'billing', 'hr')
  const warmUp = vi.fn(() => upstreams.warmUp())
  const once = root({ ...upstreams, warmUp })
  const library = withProviders([once], BillingAndHr)
  await using app = await start(withProviders([once, library]))
  expect(await app.get(BillingAndHr).answers()).toEqual(['/once/billing/x', '/once/hr/x'])
  expect(warmUp).toHaveBeenCalledOnce()
})

describe('a module with upstreams of its own', () => {
  const feature = (upstreams: Upstreams<never>) => TokenwellModule.forFeature({ upstreams })
  const featureAsync = (upstreams: Upstreams<never>, ...names: string[]) =>
    TokenwellModule.forFeatureAsync({ names, useFactory: () => ({ upstreams }) })

  test.each([
    ['forFeature', () => feature(upstreamsOf('own', 'hr'))],
    ['forFeatureAsync', () => featureAsync(upstreamsOf('own', 'hr'), 'hr')],
  ])('has them by %s, and those of the application too', async (_, ofFeature) => {
    const reports = withProviders([ofFeature()], BillingAndHr)
    await using app = await start(withProviders([root(upstreamsOf('app', 'billing', 'hr')), reports]))
    expect(await app.get(BillingAndHr).answers()).toEqual(['/app/billing/x', '/own/hr/x'])
  })

  test('keeps them to itself', async () => {
    @Injectable()
    class Stranger {
      constructor(@InjectUpstream('hr') readonly hr: Upstream) {}
    }
    const reports = withProviders([feature(upstreamsOf('own', 'hr'))])
    await expect(start(withProviders([reports], Stranger))).rejects.toThrow(/tokenwell\.upstream\.hr/)
  })

  test('gives them to those who import it, where it exports them', async () => {
    const own = feature(upstreamsOf('own', 'billing', 'hr'))
    @Module({ imports: [own], exports: [own] })
    class Reports {}
    await using app = await start(withProviders([Reports], BillingAndHr))
    expect(await app.get(BillingAndHr).answers()).toEqual(['/own/billing/x', '/own/hr/x'])
  })

  test('may be one of several with the same names', async () => {
    @Injectable()
    class Other extends BillingAndHr {}
    const [one, other] = ['one', 'other'].map((of) => feature(upstreamsOf(of, 'billing', 'hr')))
    const modules = [withProviders([one!], BillingAndHr), withProviders([other!], Other)]
    await using app = await start(withProviders(modules))
    expect(await app.get(BillingAndHr).answers()).toEqual(['/one/billing/x', '/one/hr/x'])
    expect(await app.get(Other).answers()).toEqual(['/other/billing/x', '/other/hr/x'])
  })

  test('gets its own by @InjectUpstreams', async () => {
    @Injectable()
    class Everything {
      constructor(@InjectUpstreams() readonly upstreams: Upstreams) {}
    }
    const own = upstreamsOf('own', 'hr')
    const reports = withProviders([feature(own)], Everything)
    await using app = await start(withProviders([root(upstreamsOf('app', 'billing')), reports]))
    expect(app.get(Everything).upstreams).toBe(own)
  })

  test.each([
    ['two of its own', () => [feature(upstreamsOf('one', 'hr')), feature(upstreamsOf('other', 'hr'))]],
    // Nest asks the imports in their order.
    ['one that is hidden', () => [root(upstreamsOf('app', 'hr')), feature(upstreamsOf('own', 'hr'))]],
  ])('does not start with %s by one name', async (_, imports) => {
    const message = /^TokenwellModule: WithProviders imports two upstreams "hr"/
    await expect(start(withProviders(imports()))).rejects.toThrow(message)
  })

  test('may import those of the application after its own', async () => {
    const imports = [feature(upstreamsOf('own', 'hr')), root(upstreamsOf('app', 'billing', 'hr'))]
    await using app = await start(withProviders(imports, BillingAndHr))
    expect(await app.get(BillingAndHr).answers()).toEqual(['/app/billing/x', '/own/hr/x'])
  })
})

describe('names', () => {
  test.each(['forRootAsync', 'forFeatureAsync'] as const)(
    'of %s that are not there keep it from starting',
    async (by) => {
      const useFactory = () => ({ upstreams: upstreamsOf('a', 'billing') })
      const starting = start(withProviders([TokenwellModule[by]({ names: ['billing', 'hr'], useFactory })]))
      await expect(starting).rejects.toThrow(new TypeError('names: there is no upstream "hr"; there are: billing'))
    },
  )

  test('are asked for by forFeatureAsync', () => {
    const useFactory = () => ({ upstreams: upstreamsOf('a', 'billing') })
    expect(() => TokenwellModule.forFeatureAsync({ useFactory } as never)).toThrow('forFeatureAsync: expected names')
    expect(() => TokenwellModule.forFeatureAsync({ names: [] })).toThrow(
      'forFeatureAsync: expected useFactory, useClass or useExisting',
    )
  })
})
