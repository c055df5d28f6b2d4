import type { FastifyInstance } from 'fastify'

/** What the platform asks. */
export async function health(app: FastifyInstance): Promise<void> {
  // Whether this process should be started anew. That others are down is no reason.
  app.get('/healthz', async () => ({ status: 'ok' }))

  // Whether requests should be sent here. The answer is open to anybody, so it has no errors in it.
  app.get('/readyz', async (_request, reply) => {
    const { status, upstreams } = app.upstreams.health()
    const { billing, billingForCaller } = upstreams
    reply.code(status === 'down' ? 503 : 200)
    return { status, upstreams: { billing: billing.status, billingForCaller: billingForCaller.status } }
  })
}
