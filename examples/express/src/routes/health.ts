import type { RegisteredUpstreams } from '@tokenwell/core'
import { Router } from 'express'

/** What the platform asks. */
export function health(upstreams: RegisteredUpstreams): Router {
  const router = Router()
  // Whether this process should be started anew. That others are down is no reason.
  router.get('/healthz', (_req, res) => {
    res.json({ status: 'ok' })
  })
  // Whether requests should be sent here. The answer is open to anybody, so it has no errors in it.
  router.get('/readyz', (_req, res) => {
    const { status, upstreams: each } = upstreams.health()
    const { billing, billingForCaller } = each
    res
      .status(status === 'down' ? 503 : 200)
      .json({ status, upstreams: { billing: billing.status, billingForCaller: billingForCaller.status } })
  })
  return router
}
