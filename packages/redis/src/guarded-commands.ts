import { report } from './events.ts'
import { NotConnectedError, type SendCommand } from './redis-client.ts'

/** Longest wait for one answer. */
export const deadlineMs = 250
const pauseMs = 5000

/** One command, and how to read its answer. */
export interface Operation<Result> {
  readonly operation: string
  readonly key: string
  readonly args: readonly string[]
  /** Throws for an answer that this command cannot have. */
  readonly read: (answer: unknown) => Result
  /** Gets an answer that came when nobody waited for it any more. */
  readonly late?: (answer: unknown) => void
}

/**
 * Commands with a deadline, and a breaker: after one that failed, none is sent for five seconds, and then one to see. A
 * Redis in trouble costs one deadline now and then, and nothing in between.
 */
export class GuardedCommands {
  readonly #send: SendCommand
  #closedUntil = 0
  #trial = false

  constructor(send: SendCommand) {
    this.#send = send
  }

  async run<Result>({ operation, key, args, read, late }: Operation<Result>): Promise<Result> {
    const wasOpen = this.#closedUntil > 0
    if (wasOpen && (this.#trial || performance.now() < this.#closedUntil))
      throw new BreakerOpenError('Redis is left alone')
    this.#trial = wasOpen
    try {
      const answer = read(await this.#inTime(key, args, late))
      if (wasOpen) report({ type: 'resumed', operation })
      this.#closedUntil = 0
      return answer
    } catch (error) {
      // A command that this server does not have says nothing about its health.
      if (!(error instanceof Error && /unknown command/i.test(error.message))) this.#open(operation, error)
      throw error
    } finally {
      if (wasOpen) this.#trial = false
    }
  }

  #open(operation: string, error: unknown): void {
    this.#closedUntil = performance.now() + pauseMs
    report({ type: 'failed', operation, reason: reasonOf(error), pauseMs })
  }

  async #inTime(key: string, args: readonly string[], late?: (answer: unknown) => void): Promise<unknown> {
    const { promise, reject } = Promise.withResolvers<never>()
    const controller = new AbortController()
    let waits = true
    const end = () => {
      if (!waits) return
      waits = false
      const error = new DeadlineError('Redis did not answer in time')
      reject(error)
      controller.abort(error)
    }
    // Timers come before what the network has brought: in a process that was busy, the answer may be here, unread.
    const timer = setTimeout(() => setImmediate(end), deadlineMs)
    const sent = this.#send(key, args, controller.signal)
    sent.then(
      (answer) => {
        if (!waits) late?.(answer)
        waits = false
      },
      () => undefined,
    )
    try {
      return await Promise.race([sent, promise])
    } finally {
      clearTimeout(timer)
    }
  }
}

class DeadlineError extends Error {}
class BreakerOpenError extends Error {}

function reasonOf(error: unknown): 'timeout' | 'not connected' | 'error' {
  if (error instanceof DeadlineError) return 'timeout'
  return error instanceof NotConnectedError ? 'not connected' : 'error'
}
