import { request } from 'undici'
import type { Config } from './config.ts'
import type { connectUpstreams } from './upstreams.ts'

/** What billing has open. Ends when the context it runs in does. */
export async function collectOpenInvoices(
  upstreams: ReturnType<typeof connectUpstreams>,
  { billingUrl }: Pick<Config, 'billingUrl'>,
): Promise<unknown> {
  // `request` is undici's own, as a client library may use it that takes a dispatcher and knows nothing of tokens.
  const url = `${billingUrl}/invoices?state=open`
  const { statusCode, body } = await request(url, { dispatcher: upstreams.billing.dispatcher })
  if (statusCode !== 200) {
    // A body that nobody reads keeps its connection busy.
    await body.dump()
    throw new Error(`Billing answered ${statusCode}`)
  }
  return body.json()
}
