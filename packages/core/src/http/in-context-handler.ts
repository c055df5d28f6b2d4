import { AsyncLocalStorage } from 'node:async_hooks'
import type { Dispatcher } from 'undici'
import { ForwardingHandler } from './forwarding-handler.ts'

/**
 * Calls back in the asynchronous context in which the request was made. undici calls back in that of the connection, which
 * is whoever opened it; an interceptor that sends again from there, as retry and redirect do, would do so in another
 * call's name.
 */
export class InContextHandler extends ForwardingHandler {
  readonly #inside = AsyncLocalStorage.snapshot()

  override inContext<Result>(work: () => Result): Result {
    return this.#inside(work)
  }

  override onRequestStart(...event: Parameters<ForwardingHandler['onRequestStart']>): void {
    this.#inside(() => super.onRequestStart(...event))
  }

  override onRequestUpgrade(...event: Parameters<ForwardingHandler['onRequestUpgrade']>): void {
    this.#inside(() => super.onRequestUpgrade(...event))
  }

  override onResponseStart(...event: Parameters<ForwardingHandler['onResponseStart']>): void {
    this.#inside(() => super.onResponseStart(...event))
  }

  override onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#inside(() => super.onResponseData(controller, chunk))
  }

  override onResponseEnd(...event: Parameters<ForwardingHandler['onResponseEnd']>): void {
    this.#inside(() => super.onResponseEnd(...event))
  }

  override onResponseError(controller: Dispatcher.DispatchController, error: Error): void {
    this.#inside(() => super.onResponseError(controller, error))
  }
}
