import { randomUUID } from 'node:crypto'
import { afterGrace } from './after-grace.ts'
import { collectOpenInvoices } from './collect-open-invoices.ts'
import type { Config } from './config.ts'
import { runEvery } from './run-every.ts'
import { connectUpstreams } from './upstreams.ts'

/**
 * Gives the open invoices to `handle` on schedule, until `signal` aborts. The run that is under way by then has
 * `config.graceMs` to end by itself. Resolves when nothing is left to do.
 */
export async function runWorker(
  config: Config,
  handle: (invoices: unknown) => void,
  signal: AbortSignal,
): Promise<void> {
  const upstreams = connectUpstreams(config)
  const graceIsOver = afterGrace(signal, config.graceMs)

  // There is no inbound request to take these from: each run has a correlation id and a deadline of its own, which all of its
  // calls have in common, however many there are.
  const job = async () => {
    const context = {
      headers: { 'x-request-id': randomUUID() },
      deadline: Date.now() + config.runMs,
      signal: graceIsOver,
    }
    handle(await upstreams.run(context, () => collectOpenInvoices(upstreams, config)))
  }

  try {
    await runEvery(config.intervalMs, job, { signal, onError: console.error })
  } finally {
    await upstreams.close()
  }
}
