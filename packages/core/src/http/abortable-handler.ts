import type { Dispatcher } from 'undici'
import { fail, ForwardingHandler } from './forwarding-handler.ts'

/** Aborts a request, and the response that it has begun to get, when `signal` says so. */
export class AbortableHandler extends ForwardingHandler {
  readonly #signal: AbortSignal
  readonly #onAbort: () => void
  #controller: Dispatcher.DispatchController | undefined
  #ended = false

  constructor(next: Dispatcher.DispatchHandler, signal: AbortSignal) {
    super(next)
    this.#signal = signal
    this.#onAbort = () => {
      if (this.#controller !== undefined) this.#controller.abort(signal.reason)
      // Still queued: its caller need not wait for its turn.
      else this.#end(() => fail(next, signal.reason))
    }
    signal.addEventListener('abort', this.#onAbort, { once: true })
  }

  override onRequestStart(controller: Dispatcher.DispatchController, context: unknown): void {
    this.#controller = controller
    if (this.#signal.aborted) controller.abort(this.#signal.reason)
    else super.onRequestStart(controller, context)
  }

  override onRequestUpgrade(...event: Parameters<ForwardingHandler['onRequestUpgrade']>): void {
    this.#end(() => super.onRequestUpgrade(...event))
  }

  override onResponseEnd(...event: Parameters<ForwardingHandler['onResponseEnd']>): void {
    this.#end(() => super.onResponseEnd(...event))
  }

  override onResponseError(controller: Dispatcher.DispatchController, error: Error): void {
    this.#end(() => super.onResponseError(controller, error))
  }

  // Once. A signal may outlive thousands of calls: none of them may leave a listener on it.
  #end(tell: () => void): void {
    this.#signal.removeEventListener('abort', this.#onAbort)
    if (this.#ended) return
    this.#ended = true
    tell()
  }
}
