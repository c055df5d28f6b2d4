import { TokenwellError, type RegisteredUpstreams } from '@tokenwell/core'
import { tokenwell } from '@tokenwell/express'
import express, { type ErrorRequestHandler, type Express } from 'express'
import { CallerError, type CheckCaller } from './caller.ts'
import { health } from './routes/health.ts'
import { orders } from './routes/orders.ts'
import { profile } from './routes/profile.ts'

/** The service. Whoever made `upstreams` closes them. */
export function createApp(upstreams: RegisteredUpstreams, checkCaller: CheckCaller): Express {
  const app = express()
  app.disable('x-powered-by')
  // Asked when a handler first uses `req.upstreams`. In the name of a token that nobody has checked nothing is done.
  app.use(tokenwell(upstreams, { context: (req) => ({ subjectToken: req.caller?.token }) }))
  app.use(health(upstreams), orders, profile(checkCaller))
  app.use(answerError)
  return app
}

// Without it Express would answer with the right status too, but with the stack as its text outside of production.
const answerError: ErrorRequestHandler = (error, _req, res, next) => {
  if (res.headersSent || !(error instanceof TokenwellError || error instanceof CallerError)) {
    next(error)
    return
  }
  // The message is made to be shown; what happened is in the cause, for the log alone.
  if (error.statusCode >= 500) console.error(error)
  res
    .set(error.headers ?? {})
    .status(error.statusCode)
    .json({ message: error.message })
}
