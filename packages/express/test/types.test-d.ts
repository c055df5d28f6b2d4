import { createUpstreams, type Upstream, type Upstreams } from '@tokenwell/core'
import express from 'express'

import { tokenwell, type TokenwellOptions } from '../src/index.ts'

declare const upstreams: Upstreams<'billing' | 'hr'>

// For this whole folder: the compiler reads it as one program.
declare module '@tokenwell/core' {
  interface Register {
    readonly upstreams: typeof upstreams
  }
}

export const middlewares: express.RequestHandler[] = [
  tokenwell(upstreams),
  tokenwell(createUpstreams({}), {}),
  tokenwell(upstreams, { propagate: ['x-tenant'], abortOnDisconnect: 'always', warmUp: 'required' }),
  tokenwell(upstreams, { propagate: undefined, abortOnDisconnect: undefined, warmUp: undefined, context: undefined }),
  tokenwell(upstreams, { context: (req) => ({ tenant: req.hostname, headers: { 'x-path': req.path } }) }),
]

// @ts-expect-error -- upstreams are required
tokenwell()
// @ts-expect-error -- and made by createUpstreams
tokenwell({ billing: upstreams.billing })
// @ts-expect-error -- there is no such option
tokenwell(upstreams, { abortOnDisconect: 'never' })
// @ts-expect-error -- Express has no end of its own
tokenwell(upstreams, { closeOnShutdown: true })
// @ts-expect-error -- there is no such way to warm up
tokenwell(upstreams, { warmUp: 'later' })
// @ts-expect-error -- header values are strings
tokenwell(upstreams, { context: () => ({ headers: { 'x-tenant': 42 } }) })
// @ts-expect-error -- options are not changed once they are made
export const change = (options: TokenwellOptions) => (options.warmUp = 'off')

express().use(tokenwell(upstreams), (req) => {
  const billing: Upstream = req.upstreams.billing
  // @ts-expect-error -- there is no such upstream
  void req.upstreams.payroll
  // @ts-expect-error -- what is for all requests is not on one of them
  void req.upstreams.close()
  // @ts-expect-error -- a request keeps its upstreams
  req.upstreams = { billing, hr: billing }
})
