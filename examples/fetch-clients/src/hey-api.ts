import type { Upstream } from '@tokenwell/core'
import { createClient, createConfig, type Client } from '../dist/hey-api/client/index.ts'
import { createInvoice, readInvoice } from '../dist/hey-api/index.ts'

/** A client for the generated functions whose calls carry the upstream's token. It must know the base URL too. */
export function createHeyApiClient({ fetch }: Pick<Upstream, 'fetch'>, baseUrl: string): Client {
  return createClient(createConfig({ fetch, baseUrl }))
}

/** Reads an invoice and makes one. */
export async function callWithHeyApi(upstream: Upstream, baseUrl: string): Promise<void> {
  const client = createHeyApiClient(upstream, baseUrl)
  await readInvoice({ client, path: { id: '42' }, throwOnError: true })
  await createInvoice({ client, body: { customer: 'Zoë', amount: 12 }, throwOnError: true })
}
