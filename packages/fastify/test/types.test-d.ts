import { createUpstreams, type Upstream, type Upstreams } from '@tokenwell/core'
import fastify, { type FastifyBaseLogger } from 'fastify'

import tokenwell, { tokenwell as named, type TokenwellOptions } from '../src/index.ts'

declare const upstreams: Upstreams<'billing' | 'hr'>

// For this whole folder: the compiler reads it as one program.
declare module '@tokenwell/core' {
  interface Register {
    readonly upstreams: typeof upstreams
  }
}

const app = fastify()
await app.register(tokenwell, { upstreams })
await app.register(named, { upstreams: createUpstreams({}), prefix: '/orders' })
await app.register(tokenwell, {
  upstreams,
  propagate: ['x-tenant'],
  abortOnDisconnect: 'always',
  warmUp: 'required',
  closeOnShutdown: false,
  context: (request) => ({ tenant: request.hostname, headers: { 'x-path': request.url } }),
})
export const undefinedMeansDefault: TokenwellOptions = {
  upstreams,
  propagate: undefined,
  abortOnDisconnect: undefined,
  warmUp: undefined,
  closeOnShutdown: undefined,
  context: undefined,
}

// @ts-expect-error -- upstreams are required
await app.register(tokenwell, {})
// @ts-expect-error -- and made by createUpstreams
await app.register(tokenwell, { upstreams: { billing: upstreams.billing } })
// @ts-expect-error -- there is no such option
await app.register(tokenwell, { upstreams, abortOnDisconect: 'never' })
// @ts-expect-error -- there is no such way to warm up
await app.register(tokenwell, { upstreams, warmUp: 'later' })
// @ts-expect-error -- header values are strings
await app.register(tokenwell, { upstreams, context: () => ({ headers: { 'x-tenant': 42 } }) })

export const ofApp: Upstream = app.upstreams.billing
// @ts-expect-error -- there is no such upstream
void app.upstreams.payroll
void app.upstreams.close()
// @ts-expect-error -- an application keeps its upstreams
app.upstreams = upstreams

app.get('/', (request) => {
  const billing: Upstream = request.upstreams.billing
  // @ts-expect-error -- there is no such upstream
  void request.upstreams.payroll
  // @ts-expect-error -- what is for all requests is not on one of them
  void request.upstreams.close()
  // @ts-expect-error -- a request keeps its upstreams
  request.upstreams = { billing, hr: billing }
})

// Whatever server, logger and way to describe types an application has.
await fastify({ http2: true }).register(tokenwell, { upstreams })
await fastify({ https: {} }).register(tokenwell, { upstreams, context: ({ id }) => ({ tenant: id }) })
await fastify({ loggerInstance: pinoLike }).withTypeProvider().register(tokenwell, { upstreams })
declare const pinoLike: FastifyBaseLogger & { readonly bindings: () => object }

app.get<{ Params: { id: string } }>('/orders/:id', async (request) => {
  const id: string = request.params.id
  return request.upstreams.hr.fetch(`/people/${id}`)
})
