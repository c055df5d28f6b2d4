import type { Upstream } from '@tokenwell/core'
import createClient, { type Client } from 'openapi-fetch'
import type { Answer, NewInvoice } from './billing.ts'

interface Answered {
  200: { headers: Record<string, unknown>; content: { 'application/json': Answer } }
}

/** What openapi-typescript makes of the API's description, written by hand to be read. */
export interface paths {
  '/invoices/{id}': {
    get: { parameters: { path: { id: string } }; responses: Answered }
  }
  '/invoices': {
    post: { requestBody: { content: { 'application/json': NewInvoice } }; responses: Answered }
  }
}

/** A client whose calls carry the upstream's token. It makes whole URLs, so it must know the base URL too. */
export function createOpenapiClient({ fetch }: Pick<Upstream, 'fetch'>, baseUrl: string): Client<paths> {
  return createClient<paths>({ fetch, baseUrl })
}

/** Reads an invoice and makes one. */
export async function callWithOpenapiFetch(upstream: Upstream, baseUrl: string): Promise<void> {
  const billing = createOpenapiClient(upstream, baseUrl)
  const { data, response } = await billing.GET('/invoices/{id}', { params: { path: { id: '42' } } })
  // An error status is a value here; what is thrown is that there is no token, or no answer.
  if (data === undefined) throw new Error(`Billing answered ${response.status}`)
  await billing.POST('/invoices', { body: { customer: 'Zoë', amount: 12 } })
}
