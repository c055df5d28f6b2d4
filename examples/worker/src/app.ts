import { randomUUID } from 'node:crypto'
import { request } from 'undici'
import type { Config } from './config.ts'
import { runEvery } from './run-every.ts'
import { connectUpstreams } from './upstreams.ts'

/** Gives the open invoices to `handle` again and again, until `signal` aborts. */
export async function runWorker(
  config: Config,
  handle: (invoices: unknown) => void,
  signal: AbortSignal,
): Promise<void> {
  const upstreams = connectUpstreams(config)

  // `request` is undici's own, as a client library may use it that takes a dispatcher and knows nothing of tokens.
  async function listOpenInvoices(): Promise<void> {
    const url = `${config.billing.baseUrl}/invoices?state=open`
    const { statusCode, body } = await request(url, { dispatcher: upstreams.billing.dispatcher })
    if (statusCode !== 200) {
      // A body that nobody reads keeps its connection busy.
      await body.dump()
      throw new Error(`Billing answered ${statusCode}`)
    }
    handle(await body.json())
  }

  // There is no inbound request to take these from: each run gets a correlation id and a deadline of its own.
  const job = () =>
    upstreams.run({ headers: { 'x-request-id': randomUUID() }, signal: AbortSignal.timeout(10_000) }, listOpenInvoices)

  try {
    await runEvery(config.intervalMs, job, { signal, onError: console.error })
  } finally {
    await upstreams.close()
  }
}
