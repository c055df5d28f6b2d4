import type { TracingChannel } from 'node:diagnostics_channel'
import { errorType } from './error-type.ts'

interface Traced {
  errorType?: string | undefined
  around?: (<Result>(work: () => Result) => Result) | undefined
}

/**
 * Does the work between the events of a tracing channel, as `tracePromise` does, but publishes neither its result, which may be a
 * token, nor its error, which may hold a server's words. `end` completes the event. Only for a channel that has subscribers.
 */
export async function traced<Event extends object, Result>(
  on: TracingChannel<Event>,
  event: Event,
  work: () => Promise<Result>,
  end: (event: Event, outcome: { readonly result: Result } | { readonly error: unknown }) => void,
): Promise<Result> {
  const promise = on.start.runStores(event, () => inside((event as Traced).around, work))
  on.end.publish(event)
  try {
    const result = await promise
    end(event, { result })
    return result
  } catch (error) {
    if ('errorType' in event) (event as Traced).errorType = errorType(error)
    end(event, { error })
    on.error.publish(event)
    throw error
  } finally {
    on.asyncStart.publish(event)
    on.asyncEnd.publish(event)
  }
}

// What a subscriber does wrong is told as Node.js tells it for channels, and the work is done once in any case.
function inside<Result>(around: Traced['around'], work: () => Promise<Result>): Promise<Result> {
  let promise: Promise<Result> | undefined
  const once = () => (promise ??= work())
  try {
    void around?.(once)
  } catch (error) {
    process.nextTick(() => {
      throw error
    })
  }
  return once()
}
