import { cacheEntries, cacheOperation, leaseWait, type CacheOperationEvent, type LeaseWaitEvent } from './channels.ts'
import { traced } from './traced.ts'

/** A cache did not answer in time. */
export class CacheTimeoutError extends Error {
  override name = 'CacheTimeoutError'
}

/** Does one operation of the shared cache. `found` tells of what a `get` gave whether it can be used. */
export function tracedOperation<Result>(
  upstream: string | undefined,
  operation: CacheOperationEvent['operation'],
  work: () => Promise<Result>,
  found?: (result: Result) => boolean,
): Promise<Result> {
  if (!cacheOperation.hasSubscribers) return work()
  const event: CacheOperationEvent = { upstream, tier: 'l2', operation, outcome: undefined }
  return traced(cacheOperation, event, work, (ended, outcome) => {
    if ('error' in outcome) ended.outcome = outcome.error instanceof CacheTimeoutError ? 'timeout' : 'error'
    else ended.outcome = found === undefined ? 'ok' : found(outcome.result) ? 'hit' : 'miss'
  })
}

/** Tells how many tokens a cache in memory has now. */
export function tellEntries(cache: object, entries: number): void {
  if (cacheEntries.hasSubscribers) cacheEntries.publish({ tier: 'l1', entries, cache })
}

/** Waits for this process's turn among those that share a cache. */
export function tracedLeaseWait<Result>(
  upstream: string | undefined,
  wait: () => Promise<Result>,
  outcomeOf: (result: Result) => LeaseWaitEvent['outcome'],
): Promise<Result> {
  if (!leaseWait.hasSubscribers) return wait()
  const event: LeaseWaitEvent = { upstream, outcome: undefined }
  return traced(leaseWait, event, wait, (ended, outcome) => {
    if ('result' in outcome) ended.outcome = outcomeOf(outcome.result)
  })
}
