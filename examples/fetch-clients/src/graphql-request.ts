import type { Upstream } from '@tokenwell/core'
import { gql, GraphQLClient } from 'graphql-request'

/** The API's answer to {@link readInvoice}. */
export interface InvoiceRead {
  readonly invoice: { readonly id: string; readonly customer: string } | null
}

export const readInvoice = gql`
  query ReadInvoice($id: ID!) {
    invoice(id: $id) {
      id
      customer
    }
  }
`

/** The API's answer to {@link createInvoice}. */
export interface InvoiceCreated {
  readonly createInvoice: { readonly id: string; readonly customer: string }
}

export const createInvoice = gql`
  mutation CreateInvoice($customer: String!, $amount: Float!) {
    createInvoice(customer: $customer, amount: $amount) {
      id
      customer
    }
  }
`

/** A GraphQL client whose calls carry the upstream's token. It takes whole URLs only. */
export function createGraphqlClient({ fetch }: Pick<Upstream, 'fetch'>, baseUrl: string): GraphQLClient {
  return new GraphQLClient(`${baseUrl}/graphql`, { fetch })
}

/** Reads an invoice and makes one. */
export async function callWithGraphqlRequest(upstream: Upstream, baseUrl: string): Promise<void> {
  const billing = createGraphqlClient(upstream, baseUrl)
  await billing.request<InvoiceRead>(readInvoice, { id: '42' })
  await billing.request<InvoiceCreated>(createInvoice, { customer: 'Zoë', amount: 12 })
}
