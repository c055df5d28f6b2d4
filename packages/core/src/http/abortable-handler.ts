import type { Dispatcher } from 'undici'
import { ForwardingHandler } from './forwarding-handler.ts'

/** Aborts a request, and the response that it has begun to get, when `signal` says so. */
export class AbortableHandler extends ForwardingHandler {
  readonly #signal: AbortSignal
  #onAbort: (() => void) | undefined

  constructor(next: Dispatcher.DispatchHandler, signal: AbortSignal) {
    super(next)
    this.#signal = signal
  }

  override onRequestStart(controller: Dispatcher.DispatchController, context: unknown): void {
    this.#release()
    if (this.#signal.aborted) {
      controller.abort(this.#signal.reason)
      return
    }
    this.#onAbort = () => controller.abort(this.#signal.reason)
    this.#signal.addEventListener('abort', this.#onAbort, { once: true })
    super.onRequestStart(controller, context)
  }

  override onRequestUpgrade(...event: Parameters<ForwardingHandler['onRequestUpgrade']>): void {
    this.#release()
    super.onRequestUpgrade(...event)
  }

  override onResponseEnd(...event: Parameters<ForwardingHandler['onResponseEnd']>): void {
    this.#release()
    super.onResponseEnd(...event)
  }

  override onResponseError(controller: Dispatcher.DispatchController, error: Error): void {
    this.#release()
    super.onResponseError(controller, error)
  }

  // A signal may outlive thousands of calls: none of them may leave a listener on it.
  #release(): void {
    if (this.#onAbort !== undefined) this.#signal.removeEventListener('abort', this.#onAbort)
    this.#onAbort = undefined
  }
}
