import { createClient, type Client } from '@connectrpc/connect'
import { createConnectTransport, createGrpcWebTransport } from '@connectrpc/connect-web'
import type { Upstream } from '@tokenwell/core'
import { Billing } from './billing-service.ts'

/** The protocols that Connect speaks through fetch. */
export type Protocol = 'connect' | 'grpc-web'

/**
 * A Connect client whose calls carry the upstream's token. The transports of `@connectrpc/connect-web` are those that take a
 * `fetch`, on a server too; those of `@connectrpc/connect-node` have an HTTP client of their own.
 */
export function createConnectClient(
  { fetch }: Pick<Upstream, 'fetch'>,
  baseUrl: string,
  protocol: Protocol,
): Client<typeof Billing> {
  // Reading goes by GET where the protocol has it, as everything does that is marked free of side effects.
  const transport =
    protocol === 'connect'
      ? createConnectTransport({ fetch, baseUrl, useHttpGet: true })
      : createGrpcWebTransport({ fetch, baseUrl })
  return createClient(Billing, transport)
}

/** Reads an invoice, makes one, and lists all. */
export async function callWithConnect(upstream: Upstream, baseUrl: string, protocol: Protocol): Promise<void> {
  const billing = createConnectClient(upstream, baseUrl, protocol)
  await billing.readInvoice({ value: '42' })
  await billing.createInvoice({ value: 'Zoë' })
  for await (const { value } of billing.listInvoices({ value: 'open' }))
    if (value === '') throw new Error('an empty invoice')
}
