import type { RequestUpstreams } from '@tokenwell/core'
import type { Request } from 'express'

/** Gives the upstreams of a request: makes them when somebody first asks. */
export type UpstreamsOf = (request: Request) => RequestUpstreams

// Of the whole process: the getter of one copy of this package serves requests that another copy has attached to.
const attached = Symbol.for('tokenwell.express.upstreamsOf')

interface Attached {
  [attached]?: UpstreamsOf
}

const lazily: PropertyDescriptor & ThisType<Request & Attached> = {
  configurable: true,
  enumerable: true,
  get() {
    return this[attached]?.(this)
  },
}

/** Puts `upstreams` on the request, in place of what was attached to it before. */
export function attach(request: Request & Attached, upstreamsOf: UpstreamsOf): void {
  // All that it costs a request on which nobody asks.
  request[attached] = upstreamsOf
  if (!('upstreams' in request)) Object.defineProperty(prototypeOf(request), 'upstreams', lazily)
}

// What Express makes for each application, and all of its requests share. That of Node.js is not ours to change.
function prototypeOf(request: Request): object {
  const { app } = request as { readonly app?: { readonly request?: object } }
  const shared = app?.request
  return shared !== undefined && Object.prototype.isPrototypeOf.call(shared, request) ? shared : request
}
