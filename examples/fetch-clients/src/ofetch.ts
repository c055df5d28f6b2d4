import type { Upstream } from '@tokenwell/core'
import { createFetch, type $Fetch } from 'ofetch'
import type { Answer, NewInvoice } from './billing.ts'

/** An ofetch instance whose calls carry the upstream's token. It hands paths on as they are: the upstream has the base URL. */
export function createOfetch({ fetch }: Pick<Upstream, 'fetch'>): $Fetch {
  return createFetch({ fetch })
}

/** Reads an invoice and makes one. */
export async function callWithOfetch(upstream: Upstream): Promise<void> {
  const billing = createOfetch(upstream)
  await billing<Answer>('/invoices/42')
  const invoice: NewInvoice = { customer: 'Zoë', amount: 12 }
  await billing<Answer>('/invoices', { method: 'POST', body: invoice })
}
