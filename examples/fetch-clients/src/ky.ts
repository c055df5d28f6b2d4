import type { Upstream } from '@tokenwell/core'
import ky, { type KyInstance } from 'ky'
import type { Answer, NewInvoice } from './billing.ts'

/** A ky instance whose calls carry the upstream's token. ky makes whole URLs, so it must know the base URL too. */
export function createKy({ fetch }: Pick<Upstream, 'fetch'>, baseUrl: string): KyInstance {
  return ky.create({ fetch, prefix: baseUrl })
}

/** Reads an invoice and makes one. */
export async function callWithKy(upstream: Upstream, baseUrl: string): Promise<void> {
  const billing = createKy(upstream, baseUrl)
  await billing.get('invoices/42').json<Answer>()
  const invoice: NewInvoice = { customer: 'Zoë', amount: 12 }
  await billing.post('invoices', { json: invoice }).json<Answer>()
}
