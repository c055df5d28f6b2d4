import { AsyncResource } from 'node:async_hooks'
import type { Dispatcher } from 'undici'
import { ForwardingHandler } from './forwarding-handler.ts'

type Handler = Dispatcher.DispatchHandler
type Event<Name extends keyof ForwardingHandler> = Parameters<ForwardingHandler[Name]>

/**
 * Calls back in the asynchronous context in which the request was made. undici calls back in that of the connection, which
 * is whoever opened it: an interceptor that sends again from there, as retry and redirect do, and what is called while a response
 * is read, would do so in another call's name.
 */
export class InContextHandler extends ForwardingHandler {
  private readonly scope: AsyncResource

  constructor(next: Handler) {
    super(next)
    // undici's own handlers, but for that of fetch, are one.
    this.scope = next instanceof AsyncResource ? next : new AsyncResource('tokenwell.call')
  }

  override inContext<Result>(work: () => Result): Result {
    return this.scope.runInAsyncScope(work)
  }

  override onRequestStart(...[controller, context]: Event<'onRequestStart'>): void {
    this.scope.runInAsyncScope(events.start, undefined, this.next, controller, context)
  }

  override onRequestUpgrade(...event: Event<'onRequestUpgrade'>): void {
    this.scope.runInAsyncScope(events.upgrade, undefined, this.next, ...event)
  }

  override onResponseStart(...[controller, status, headers, message]: Event<'onResponseStart'>): void {
    this.scope.runInAsyncScope(events.response, undefined, this.next, controller, status, headers, message)
  }

  override onResponseData(...[controller, chunk]: Event<'onResponseData'>): void {
    this.scope.runInAsyncScope(events.data, undefined, this.next, controller, chunk)
  }

  override onResponseEnd(...[controller, trailers]: Event<'onResponseEnd'>): void {
    this.scope.runInAsyncScope(events.end, undefined, this.next, controller, trailers)
  }

  override onResponseError(...[controller, error]: Event<'onResponseError'>): void {
    this.scope.runInAsyncScope(events.error, undefined, this.next, controller, error)
  }
}

// What each event is, without a closure for each time that it happens.
const events = {
  start: (next: Handler, ...event: Event<'onRequestStart'>) => next.onRequestStart?.(...event),
  upgrade: (next: Handler, ...event: Event<'onRequestUpgrade'>) => next.onRequestUpgrade?.(...event),
  response: (next: Handler, ...event: Event<'onResponseStart'>) => next.onResponseStart?.(...event),
  data: (next: Handler, ...event: Event<'onResponseData'>) => next.onResponseData?.(...event),
  end: (next: Handler, ...event: Event<'onResponseEnd'>) => next.onResponseEnd?.(...event),
  error: (next: Handler, ...event: Event<'onResponseError'>) => next.onResponseError?.(...event),
}
