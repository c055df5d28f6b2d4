import { TokenwellError, type RegisteredUpstreams } from '@tokenwell/core'
import { tokenwell } from '@tokenwell/express'
import express, { type ErrorRequestHandler, type Express } from 'express'

/** The orders service. Whoever made `upstreams` closes them. */
export function createApp(upstreams: RegisteredUpstreams): Express {
  const app = express()
  app.use(tokenwell(upstreams))

  app.get('/orders/:id', async (req, res) => {
    const { id } = req.params
    const response = await req.upstreams.billing.fetch(`/invoices/${encodeURIComponent(id)}`)
    if (!response.ok) {
      // A body that nobody reads keeps its connection busy.
      await response.body?.cancel()
      res.status(502).json({ message: `Billing answered ${response.status}` })
      return
    }
    res.json({ id, invoice: await response.json() })
  })

  app.use(answerTokenwellError)
  return app
}

// Without it Express would answer with the right status too, but with the stack as its text outside of production.
const answerTokenwellError: ErrorRequestHandler = (error, _req, res, next) => {
  if (res.headersSent || !(error instanceof TokenwellError)) {
    next(error)
    return
  }
  console.error(error)
  // The message is made to be shown; what happened is in the cause, for the log alone.
  res.status(error.statusCode).json({ message: error.message })
}
