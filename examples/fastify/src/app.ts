import type { RegisteredUpstreams } from '@tokenwell/core'
import { tokenwell } from '@tokenwell/fastify'
import Fastify, { type FastifyInstance } from 'fastify'

/** The orders service. Closing it closes `upstreams`. */
export async function createApp(upstreams: RegisteredUpstreams): Promise<FastifyInstance> {
  const app = Fastify({ logger: { level: 'warn' } })
  await app.register(tokenwell, { upstreams })

  // What this rejects with goes to Fastify, which answers with the error's statusCode: tokenwell's errors have one.
  app.get<{ Params: { id: string } }>('/orders/:id', async (request, reply) => {
    const { id } = request.params
    const { statusCode, body } = await request.upstreams.billing.request(`/invoices/${encodeURIComponent(id)}`)
    if (statusCode !== 200) {
      // A body that nobody reads keeps its connection busy.
      await body.dump()
      return reply.code(502).send({ message: `Billing answered ${statusCode}` })
    }
    return { id, invoice: await body.json() }
  })

  return app
}
