import type { RegisteredUpstreams } from '@tokenwell/core'
import { tokenwell } from '@tokenwell/fastify'
import Fastify, { type FastifyInstance } from 'fastify'
import type { CheckCaller } from './caller.ts'
import { health } from './routes/health.ts'
import { orders } from './routes/orders.ts'
import { profile } from './routes/profile.ts'

/** The service. Closing it closes `upstreams`. */
export async function createApp(upstreams: RegisteredUpstreams, checkCaller: CheckCaller): Promise<FastifyInstance> {
  const app = Fastify({ logger: { level: 'warn' } })
  app.decorateRequest('caller', null)
  // Asked when a handler first uses `request.upstreams`. In the name of a token that nobody has checked nothing is done.
  await app.register(tokenwell, { upstreams, context: (request) => ({ subjectToken: request.caller?.token }) })
  await app.register(health)
  await app.register(orders)
  await app.register(profile, { checkCaller })
  return app
}
