import { AsyncResource } from 'node:async_hooks'
import type { Dispatcher } from 'undici'

type Handler = Dispatcher.DispatchHandler
type Controller = Dispatcher.DispatchController
type ResponseHeaders = Parameters<NonNullable<Handler['onResponseStart']>>[2]

/**
 * A handler that hands everything on. Each callback is spelled out: undici calls them as methods of this object, so a
 * spread of another handler would call the wrong one.
 */
// Those that are made for each call have members that are private to the compiler alone: `#` costs them 60 ns per call.
export class ForwardingHandler implements Required<Omit<Handler, 'onResponseStarted'>> {
  protected readonly next: Handler

  constructor(next: Handler) {
    this.next = next
  }

  /**
   * Runs this in the asynchronous context in which the request was made. undici calls back in that of the connection, which is
   * whoever opened it.
   */
  inContext<Result>(work: () => Result): Result {
    const { next } = this
    if (next instanceof ForwardingHandler) return next.inContext(work)
    // undici's own handlers, but for that of fetch, are.
    return next instanceof AsyncResource ? next.runInAsyncScope(work) : work()
  }

  onRequestStart(controller: Controller, context: unknown): void {
    this.next.onRequestStart?.(controller, context)
  }

  onRequestUpgrade(...event: Parameters<NonNullable<Handler['onRequestUpgrade']>>): void {
    this.next.onRequestUpgrade?.(...event)
  }

  onResponseStart(controller: Controller, statusCode: number, headers: ResponseHeaders, statusMessage?: string): void {
    this.next.onResponseStart?.(controller, statusCode, headers, statusMessage)
  }

  onResponseData(controller: Controller, chunk: Buffer): void {
    this.next.onResponseData?.(controller, chunk)
  }

  onResponseEnd(controller: Controller, trailers: ResponseHeaders): void {
    this.next.onResponseEnd?.(controller, trailers)
  }

  onResponseError(controller: Controller, error: Error): void {
    this.next.onResponseError?.(controller, error)
  }

  onBodySent(chunk: Buffer): void {
    this.next.onBodySent?.(chunk)
  }

  onRequestSent(): void {
    this.next.onRequestSent?.()
  }
}

/**
 * Throws a `TypeError` for a handler of another undici, such as that of this Node's own fetch: its requests would never end.
 */
export function assertHandler(handler: Handler): void {
  if (typeof handler?.onRequestStart === 'function' || typeof handler?.onResponseStart === 'function') return
  throw new TypeError(
    'this dispatcher is of undici 8, and the request is of another version, such as the fetch of this Node.js: ' +
      'use the fetch of the upstream, or that of the npm package undici 8',
  )
}

/** Ends a request that was never started: undici itself passes null for the controller of such a one. */
export function fail(handler: Handler, error: Error): void {
  handler.onResponseError?.(null as unknown as Controller, error)
}
