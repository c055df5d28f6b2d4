import type { FastifyInstance } from 'fastify'

/** What anybody may ask. Billing is asked by this service for itself. */
export async function orders(app: FastifyInstance): Promise<void> {
  // What this rejects with goes to Fastify, which answers with the error's statusCode: tokenwell's errors have one.
  app.get<{ Params: { id: string } }>('/orders/:id', async (request, reply) => {
    const { id } = request.params
    const { statusCode, body } = await request.upstreams.billing.request(`/invoices/${encodeURIComponent(id)}`)
    if (statusCode !== 200) {
      // A body that nobody reads keeps its connection busy.
      await body.dump()
      if (statusCode === 404) return reply.code(404).send({ message: `There is no invoice for order ${id}` })
      return reply.code(502).send({ message: `Billing answered ${statusCode}` })
    }
    return { id, invoice: await body.json() }
  })
}
