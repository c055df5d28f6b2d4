import type { FastifyInstance } from 'fastify'
import type { Caller, CheckCaller } from '../caller.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** Who makes this request; null where that was not checked. */
    caller: Caller | null
  }
}

/** What callers may ask about themselves. Billing is asked on their behalf, and knows by the token whose profile it is. */
export async function profile(app: FastifyInstance, { checkCaller }: { checkCaller: CheckCaller }): Promise<void> {
  // For the routes of this plugin alone.
  app.addHook('onRequest', async (request) => {
    request.caller = await checkCaller(request.headers.authorization)
  })

  app.get('/profile', async (request, reply) => {
    const { statusCode, body } = await request.upstreams.billingForCaller.request('/profile')
    if (statusCode !== 200) {
      await body.dump()
      return reply.code(502).send({ message: `Billing answered ${statusCode}` })
    }
    return { subject: request.caller?.subject, profile: await body.json() }
  })
}
