import { Router } from 'express'
import type { Caller, CheckCaller } from '../caller.ts'

declare global {
  // Express has no other way to type what is on its request.
  namespace Express {
    interface Request {
      /** Who makes this request; undefined where that was not checked. */
      caller?: Caller
    }
  }
}

/** What callers may ask about themselves. Billing is asked on their behalf, and knows by the token whose profile it is. */
export function profile(checkCaller: CheckCaller): Router {
  const router = Router()
  router.use('/profile', async (req, _res, next) => {
    req.caller = await checkCaller(req.get('authorization'))
    next()
  })
  router.get('/profile', async (req, res) => {
    const response = await req.upstreams.billingForCaller.fetch('/profile')
    if (!response.ok) {
      await response.body?.cancel()
      res.status(502).json({ message: `Billing answered ${response.status}` })
      return
    }
    res.json({ subject: req.caller?.subject, profile: await response.json() })
  })
  return router
}
