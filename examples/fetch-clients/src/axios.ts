import type { Upstream } from '@tokenwell/core'
import axios, { type AxiosInstance } from 'axios'
import type { Answer, NewInvoice } from './billing.ts'

/**
 * An axios instance whose calls carry the upstream's token. Its fetch adapter makes a `Request`, which takes a whole URL, so
 * axios must know the base URL too.
 */
export function createAxios({ fetch }: Pick<Upstream, 'fetch'>, baseUrl: string): AxiosInstance {
  // On Node.js axios makes forms of objects by a package whose forms no fetch can send, unless it is told of FormData.
  return axios.create({ adapter: 'fetch', env: { fetch, FormData }, baseURL: baseUrl })
}

/** Reads an invoice and makes one. */
export async function callWithAxios(upstream: Upstream, baseUrl: string): Promise<void> {
  const billing = createAxios(upstream, baseUrl)
  await billing.get<Answer>('/invoices/42')
  const invoice: NewInvoice = { customer: 'Zoë', amount: 12 }
  await billing.post<Answer>('/invoices', invoice)
}
