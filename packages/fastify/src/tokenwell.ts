import type { ServerResponse } from 'node:http'
import type {
  CallContext,
  Log,
  RegisteredUpstreams,
  RequestContextOptions,
  RequestUpstreams,
  Upstreams,
} from '@tokenwell/core'
import type { FastifyPluginAsync, FastifyRequest } from 'fastify'
import fastifyPlugin from 'fastify-plugin'

declare module 'fastify' {
  interface FastifyInstance {
    /** The upstreams, for work outside a request. */
    readonly upstreams: RegisteredUpstreams
  }
  interface FastifyRequest {
    /** The upstreams, bound to this request: its trace context goes on, and calls end when its caller hangs up. */
    readonly upstreams: RequestUpstreams
  }
}

/** Options of the plugin. */
export interface TokenwellOptions extends Omit<RequestContextOptions, 'log'> {
  /** What `createUpstreams` made. */
  readonly upstreams: Upstreams<never>
  /**
   * Adds to the context of calls made for a request, whose `log` is the request's unless this gives another. Called when
   * `request.upstreams` is first used.
   */
  readonly context?: ((request: FastifyRequest) => CallContext) | undefined
  /**
   * Tokens before the first request. `'background'` (default): asked for at start-up, nobody waits. `'required'`: the
   * application is not ready, and does not start, without them. `'off'`: the first call that needs a token asks for it.
   */
  readonly warmUp?: 'background' | 'required' | 'off' | undefined
  /** Closes the upstreams when the application closes. Default true. */
  readonly closeOnShutdown?: boolean | undefined
}

const response = Symbol('tokenwell.response')

function withLog(own: CallContext | undefined, log: Log): CallContext {
  return own === undefined ? { log } : { ...own, log: own.log ?? log }
}

const plugin: FastifyPluginAsync<TokenwellOptions> = async (app, options) => {
  const { upstreams, context, warmUp = 'background', closeOnShutdown = true, propagate, abortOnDisconnect } = options
  if (typeof upstreams?.requestContext !== 'function') {
    throw new TypeError('upstreams: expected what createUpstreams made')
  }
  if (context !== undefined && typeof context !== 'function') {
    throw new TypeError('context: expected a function of the request')
  }
  if (!['background', 'required', 'off'].includes(warmUp)) {
    throw new TypeError("warmUp: expected 'background', 'required' or 'off'")
  }
  const contextOf = upstreams.requestContext({ propagate, abortOnDisconnect })

  app.decorate('upstreams', upstreams as RegisteredUpstreams)
  // One for each registration: a child's upstreams are not those of its parent, whose slots its requests have too.
  const bound = Symbol('tokenwell.upstreams')
  type Slots = { [response]: ServerResponse | null; [bound]: object | null }
  // Fastify refuses objects here, so that no request can change what another one sees.
  app.decorateRequest(bound as never, null as never)
  app.decorateRequest('upstreams', {
    getter(this: FastifyRequest) {
      const slots = this as unknown as Slots
      const raw = slots[response]
      if (raw === null) throw new TypeError('request.upstreams: used before the onRequest hook of this plugin')
      slots[bound] ??= upstreams.with(contextOf(this.raw, raw), withLog(context?.(this), this.log))
      return slots[bound] as RequestUpstreams
    },
  })
  if (!app.hasRequestDecorator(response)) {
    app.decorateRequest(response as never, null as never)
    app.addHook('onRequest', (request, reply, done) => {
      ;(request as unknown as Slots)[response] = reply.raw
      done()
    })
  }
  if (warmUp !== 'off') {
    app.addHook('onReady', async () => {
      const warm = upstreams.warmUp()
      if (warmUp === 'required') await warm
      else warm.catch(() => {})
    })
  }
  if (closeOnShutdown) app.addHook('onClose', () => upstreams.close())
}

/**
 * Fastify plugin: puts `upstreams` on the application and on each request. Registering it fails with a `TypeError` that
 * names the option when one is wrong.
 */
export const tokenwell = fastifyPlugin(plugin, { name: '@tokenwell/fastify', fastify: '5.x' })
