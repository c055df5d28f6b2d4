import type { IncomingMessage, ServerResponse } from 'node:http'
import type { CallContext } from '@tokenwell/core'
import { nestLog } from './nest-log.ts'
import type { TokenwellModuleOptions } from './options.ts'

/** Middleware as every platform of Nest takes it. */
export type ContextMiddleware = (
  request: IncomingMessage,
  response: ServerResponse,
  next: (error?: unknown) => void,
) => void

/** Runs what comes after it in the context of the request. */
export function contextMiddleware(options: TokenwellModuleOptions): ContextMiddleware {
  const { upstreams, context, propagate, abortOnDisconnect, log = nestLog() } = options
  const contextOf = upstreams.requestContext({ propagate, abortOnDisconnect, log })
  return (request, response, next) => {
    let own: CallContext | undefined
    try {
      own = context?.(request)
    } catch (error) {
      // Not thrown on: who catches it, and whether anybody does, depends on the platform.
      return next(error)
    }
    // Most requests make no call.
    upstreams.run(() => contextOf(request, response), own === undefined ? next : () => upstreams.run(own, next))
  }
}
