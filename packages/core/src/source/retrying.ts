import type { Clock } from '../clock.ts'
import { TokenEndpointUnreachableError } from '../errors.ts'
import { retryPauseMs } from './backoff.ts'
import { isRetryable } from './failure.ts'

/** How often and how long one token request is tried. */
export interface RetryOptions {
  readonly clock: Clock
  readonly random: () => number
  /** Attempts in all, at least 1; asked after each that failed. */
  readonly attempts: () => number
  readonly attemptTimeoutMs: number
  /** All attempts and pauses together. `signal` aborts by then; a pause that would outlast it is not begun. */
  readonly timeoutMs: number
  readonly signal: AbortSignal
}

/** Tries until it goes well, until trying again is pointless, or until the attempts or the time are used up. */
export async function withRetries<Result>(
  attempt: (signal: AbortSignal) => Promise<Result>,
  options: RetryOptions,
): Promise<Result> {
  const { clock, random, attempts, timeoutMs, signal } = options
  const deadline = clock.monotonic() + timeoutMs
  for (let made = 1; ; made++) {
    try {
      return await withDeadline(attempt, options)
    } catch (error) {
      if (signal.aborted || made >= attempts() || !isRetryable(error)) throw error
      const pauseMs = Math.max(retryPauseMs(made, random), (error.retryAt ?? 0) - clock.now())
      if (clock.monotonic() + pauseMs >= deadline) throw error
      await pause(pauseMs, clock, signal)
    }
  }
}

// Does not rely on the attempt's obeying its signal: what it waits for may be a user's function.
function withDeadline<Result>(
  attempt: (signal: AbortSignal) => Promise<Result>,
  { clock, attemptTimeoutMs, signal }: RetryOptions,
): Promise<Result> {
  const controller = new AbortController()
  const { promise, resolve, reject } = Promise.withResolvers<Result>()
  const end = (reason: unknown) => {
    controller.abort(reason)
    reject(reason)
  }
  const cancelTimer = clock.setTimer(() => {
    end(
      new TokenEndpointUnreachableError('the authorization server did not answer in time', {
        cause: new Error(`no answer to one attempt after ${attemptTimeoutMs} ms`),
      }),
    )
  }, attemptTimeoutMs)
  const onAbort = () => end(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  void attempt(controller.signal).then(resolve, reject)
  return promise.finally(() => {
    cancelTimer()
    signal.removeEventListener('abort', onAbort)
  })
}

/** Waits, unless `signal` aborts. */
export function pause(ms: number, clock: Clock, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = () => {
      cancelTimer()
      reject(signal.reason as Error)
    }
    const cancelTimer = clock.setTimer(() => {
      signal.removeEventListener('abort', onAbort)
      resolve()
    }, ms)
    signal.addEventListener('abort', onAbort, { once: true })
  })
}
