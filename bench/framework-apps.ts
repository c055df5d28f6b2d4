import { createServer, type Server } from 'node:http'
import { createRequire } from 'node:module'
import type { Upstream, Upstreams } from '../packages/core/dist/index.js'

/** What a handler is given. */
export interface Incoming {
  readonly upstreams?: { readonly billing: Upstream }
}

export type Handler = (request: Incoming) => unknown

/** A service that answers `/hello` with what `handler` gives, with these upstreams mounted, with a layer that does nothing, or
 * with neither. */
export type Framework = (handler: Handler, mounted: Mounted) => Promise<Server>

export type Mounted = Upstreams<'billing'> | 'nothing' | undefined

type Next = (error?: unknown) => void

interface ExpressApp {
  use(layer: unknown): void
  get(path: string, route: (req: Incoming, res: { json(body: unknown): void }, next: Next) => void): void
}

interface FastifyApp {
  register(plugin: unknown, options: unknown): Promise<unknown>
  addHook(name: 'onRequest', hook: (request: unknown, reply: unknown, done: () => void) => void): void
  get(path: string, route: (request: Incoming) => Promise<unknown>): void
  ready(): Promise<unknown>
}

type Decorator = (target: object, key?: string, member?: PropertyDescriptor | number) => void

interface NestCommon {
  readonly Controller: (path: string) => Decorator
  readonly Get: () => Decorator
  readonly Module: (metadata: object) => Decorator
}

interface NestApp {
  use(layer: unknown): void
  init(): Promise<unknown>
  getHttpAdapter(): { getInstance(): { ready?(): Promise<unknown> } }
  getHttpServer(): Server
}

// Each as its adapter's own package has it.
const ofPackage = (name: string) => createRequire(new URL(`../packages/${name}/package.json`, import.meta.url))
const ofExpress = ofPackage('express')
const ofFastify = ofPackage('fastify')

const withExpress =
  (module: string): Framework =>
  async (handler, mounted) => {
    const app = (ofExpress(module) as () => ExpressApp)()
    const { tokenwell } = await import('../packages/express/dist/index.js')
    if (mounted === 'nothing') app.use((_req: unknown, _res: unknown, next: Next) => next())
    else if (mounted !== undefined) app.use(tokenwell(mounted))
    app.get('/hello', (req, res, next) => {
      const answer = handler(req)
      if (answer instanceof Promise) answer.then((body) => res.json(body), next)
      else res.json(answer)
    })
    return createServer(app as never)
  }

const withFastify: Framework = async (handler, mounted) => {
  const server = createServer()
  const serverFactory = (listener: () => void) => server.on('request', listener)
  const app = (ofFastify('fastify') as (options: object) => FastifyApp)({ serverFactory })
  const { tokenwell } = await import('../packages/fastify/dist/index.js')
  if (mounted === 'nothing') app.addHook('onRequest', (_request, _reply, done) => done())
  else if (mounted !== undefined) await app.register(tokenwell, { upstreams: mounted, closeOnShutdown: false })
  app.get('/hello', async (request) => handler(request))
  await app.ready()
  return server
}

const withNest =
  (platform: 'Express' | 'Fastify', home: 'nestjs' | 'nestjs-11'): Framework =>
  async (handler, mounted) => {
    const ofNest = ofPackage(home)
    const { InjectUpstream, TokenwellModule } = await import('../packages/nestjs/dist/index.js')
    const adapters = ofNest(`@nestjs/platform-${platform.toLowerCase()}`) as Record<string, new () => object>
    const { NestFactory } = ofNest('@nestjs/core') as {
      NestFactory: { create(root: object, adapter: object | undefined, options: object): Promise<NestApp> }
    }
    const { Controller, Get, Module } = ofNest('@nestjs/common') as NestCommon
    const Adapter = adapters[`${platform}Adapter`]
    const upstreams = mounted === 'nothing' ? undefined : mounted

    // Node.js does not know decorators, which are functions.
    class Hello {
      readonly incoming: Incoming
      constructor(billing?: Upstream) {
        this.incoming = billing === undefined ? {} : { upstreams: { billing } }
      }

      get(): unknown {
        return handler(this.incoming)
      }
    }
    Controller('hello')(Hello)
    Get()(Hello.prototype, 'get', Object.getOwnPropertyDescriptor(Hello.prototype, 'get') ?? {})
    if (upstreams !== undefined) (InjectUpstream('billing') as Decorator)(Hello, undefined, 0)
    // oxlint-disable-next-line typescript/no-extraneous-class -- a module of Nest is nothing else
    class App {}
    const imports = upstreams === undefined ? [] : [TokenwellModule.forRoot({ upstreams, closeOnShutdown: false })]
    Module({ imports, controllers: [Hello] })(App)

    const options = { logger: false, abortOnError: false }
    const app = await NestFactory.create(App, Adapter && new Adapter(), options)
    if (mounted === 'nothing') app.use((_req: unknown, _res: unknown, next: Next) => next())
    await app.init()
    await app.getHttpAdapter().getInstance().ready?.()
    return app.getHttpServer()
  }

export const frameworks: Readonly<Record<string, Framework>> = {
  'Express 4': withExpress('express-4'),
  'Express 5': withExpress('express'),
  'Fastify 5': withFastify,
  // In processes where the adapter takes Nest 11 for Nest.
  'Nest 11 on Express': withNest('Express', 'nestjs-11'),
  'Nest 11 on Fastify': withNest('Fastify', 'nestjs-11'),
  'Nest 12 on Express': withNest('Express', 'nestjs'),
  'Nest 12 on Fastify': withNest('Fastify', 'nestjs'),
}
