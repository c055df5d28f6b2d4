import type { RequestUpstreams } from '@tokenwell/core'
import type { Request } from 'express'

/** Gives the upstreams of a request: makes them when somebody first asks. */
export type UpstreamsOf = (request: Request) => RequestUpstreams

// Of the whole process: the getter of one copy of this package serves requests that another copy has attached to.
const attached = Symbol.for('tokenwell.express.attached')

interface Attached {
  [attached]?: Attachment | undefined
}

interface Attachment {
  readonly app: Application | undefined
  readonly upstreamsOf: UpstreamsOf
  readonly before: Attachment | undefined
}

interface Application {
  readonly request?: object
  /** Where a sub-application was mounted. */
  readonly parent?: Application
}

const lazily: PropertyDescriptor & ThisType<Request & Attached> = {
  configurable: true,
  enumerable: true,
  get() {
    return attachmentOf(this)?.upstreamsOf(this)
  },
}

/** Puts `upstreams` on the request, in place of what was attached to it before in the same application or around it. */
export function attach(request: Request & Attached, upstreamsOf: UpstreamsOf): void {
  // All that it costs a request on which nobody asks.
  request[attached] = { app: applicationOf(request), upstreamsOf, before: request[attached] }
  if (!('upstreams' in request)) Object.defineProperty(prototypeOf(request), 'upstreams', lazily)
}

/** A sub-application that hands the request on leaves to the one around it what that had before. */
function attachmentOf(request: Request & Attached): Attachment | undefined {
  const last = request[attached]
  for (let app = applicationOf(request); app !== undefined; app = app.parent) {
    for (let one = last; one !== undefined; one = one.before) if (one.app === app) return one
  }
  // An application that is mounted in several others knows the last of them alone.
  return last
}

// Express sets it, for as long as an application has the request.
function applicationOf(request: Request): Application | undefined {
  return (request as { readonly app?: Application }).app
}

// What Express makes for each application, and all of its requests share. That of Node.js is not ours to change.
function prototypeOf(request: Request): object {
  const shared = applicationOf(request)?.request
  return shared !== undefined && Object.prototype.isPrototypeOf.call(shared, request) ? shared : request
}
