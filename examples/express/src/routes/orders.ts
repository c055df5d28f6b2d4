import { Router } from 'express'

/** What anybody may ask. Billing is asked by this service for itself. */
export const orders: Router = Router()

orders.get('/orders/:id', async (req, res) => {
  const { id } = req.params
  const response = await req.upstreams.billing.fetch(`/invoices/${encodeURIComponent(id)}`)
  if (!response.ok) {
    // A body that nobody reads keeps its connection busy.
    await response.body?.cancel()
    if (response.status === 404) res.status(404).json({ message: `There is no invoice for order ${id}` })
    else res.status(502).json({ message: `Billing answered ${response.status}` })
    return
  }
  res.json({ id, invoice: await response.json() })
})
