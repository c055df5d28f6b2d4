import type { CallContext, RequestContextOptions, RequestUpstreams, Upstreams } from '@tokenwell/core'
import type { Request, RequestHandler } from 'express'
import { attach, type UpstreamsOf } from './attach.ts'

declare global {
  // Express has no other way to type what is on its request.
  namespace Express {
    interface Request {
      /** The upstreams, bound to this request: its trace context goes on, and calls end when its caller hangs up. */
      readonly upstreams: RequestUpstreams
    }
  }
}

/** Options of {@link tokenwell}. */
export interface TokenwellOptions extends RequestContextOptions {
  /** Adds to the context of calls made for a request, such as a tenant. Called when `req.upstreams` is first used. */
  readonly context?: ((request: Request) => CallContext) | undefined
  /**
   * Tokens before the first request. `'background'` (default): asked for at once, nobody waits. `'required'`: asked for
   * at once, and until there were some, requests wait for them and fail with the error if there are none. `'off'`: the
   * first call that needs a token asks for it.
   */
  readonly warmUp?: 'background' | 'required' | 'off' | undefined
}

/**
 * Express middleware: puts `req.upstreams` on each request.
 * Closing the upstreams is left to whoever owns the server, since Express has no end of its own.
 * Throws a `TypeError` that names the option when one is wrong.
 */
export function tokenwell(upstreams: Upstreams<never>, options: TokenwellOptions = {}): RequestHandler {
  const { context, warmUp = 'background', ...contextOptions } = options
  if (typeof upstreams?.requestContext !== 'function') {
    throw new TypeError('upstreams: expected what createUpstreams made')
  }
  if (context !== undefined && typeof context !== 'function') {
    throw new TypeError('context: expected a function of the request')
  }
  if (!['background', 'required', 'off'].includes(warmUp)) {
    throw new TypeError("warmUp: expected 'background', 'required' or 'off'")
  }
  const contextOf = upstreams.requestContext(contextOptions)
  // One for each call of this function: mounted twice it finds what it made, and a sub-application's is not its parent's.
  const bound = Symbol('tokenwell.upstreams')
  const upstreamsOf: UpstreamsOf = (request: Request & { [bound]?: RequestUpstreams }) => {
    const { res } = request
    if (res === undefined) throw new TypeError('req.upstreams: this request was not made by Express')
    return (request[bound] ??= upstreams.with(contextOf(request, res), context?.(request)) as RequestUpstreams)
  }
  let waits = warmUp === 'required'
  const warm = async () => {
    await upstreams.warmUp()
    waits = false
  }
  if (warmUp !== 'off') warm().catch(() => {})
  return (req, _res, next) => {
    attach(req, upstreamsOf)
    if (waits) warm().then(() => next(), next)
    else next()
  }
}
