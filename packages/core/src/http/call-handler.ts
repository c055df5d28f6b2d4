import { AsyncResource } from 'node:async_hooks'
import type { Dispatcher } from 'undici'
import { longestTimerMs } from '../clock.ts'
import type { CallContext } from '../context/call-context.ts'
import type { Ending, EndingListener } from '../context/hang-up.ts'
import type { CallsUnderWay, CallUnderWay } from './calls-under-way.ts'
import { ForwardingHandler } from './forwarding-handler.ts'

type Controller = Dispatcher.DispatchController
type ResponseHeaders = Parameters<ForwardingHandler['onResponseEnd']>[1]

/** What a caller is told of errors before there is a response. */
export interface Telling {
  /** Of trouble with the connection. */
  trouble(error: Error): Error
  /** Of what was thrown before anything was sent, such as by a token source. */
  unsent(error: Error): Error
}

/**
 * One call from its start to its end, whatever it takes: its wait for a token, and each time that it is sent. It stands
 * between the caller and undici as the caller's controller, so that an abort is obeyed at once even when nothing is being
 * sent.
 */
export class CallHandler extends ForwardingHandler implements CallUnderWay, Controller, EndingListener {
  before: CallUnderWay | undefined = undefined
  after: CallUnderWay | undefined = undefined
  deadlineAt = 0
  /** Fixed when the call is made: what comes later, such as a refusal, happens in whatever asynchronous context the connection has. */
  readonly context: CallContext | undefined
  private readonly underWay: CallsUnderWay
  private readonly telling: Telling | undefined
  private controller: Controller | undefined
  private abortion: AbortController | undefined
  private ending: Ending | undefined
  private timer: NodeJS.Timeout | undefined
  private abortReason: Error | null = null
  private phase: 'open' | 'ending' | 'over' = 'open'
  private readonly scope: AsyncResource | undefined

  /** Without `telling` errors are told as they come. */
  constructor(next: Dispatcher.DispatchHandler, underWay: CallsUnderWay, telling?: Telling, context?: CallContext) {
    super(next)
    this.context = context
    this.underWay = underWay
    // fetch's handler does not know in which context it was made; the others do.
    this.scope =
      next instanceof ForwardingHandler || next instanceof AsyncResource
        ? undefined
        : new AsyncResource('tokenwell.call')
    this.telling = telling
    underWay.started(this)
  }

  override inContext<Result>(work: () => Result): Result {
    return this.scope === undefined ? super.inContext(work) : this.scope.runInAsyncScope(work)
  }

  /** Ends the call with this signal; leaves no listener on it, since it may outlive thousands of calls. */
  endWith(signal: Ending): void {
    if (signal.aborted) return this.abort(signal.reason as Error)
    this.ending = signal
    signal.addEventListener('abort', this)
  }

  /** What ends the call says so. */
  handleEvent(): void {
    this.abort(this.ending?.reason as Error)
  }

  /** Ends the call in so many milliseconds, its response too. */
  endIn(ms: number, error: () => Error): void {
    if (this.phase !== 'open' || ms > longestTimerMs) return
    this.timer = setTimeout(() => this.abort(error()), ms).unref()
    this.deadlineAt = Math.min(this.deadlineAt, performance.now() + ms)
  }

  /** Aborts with the call: for what is waited for on its behalf. */
  get signal(): AbortSignal {
    this.abortion ??= new AbortController()
    if (this.abortReason !== null) this.abortion.abort(this.abortReason)
    return this.abortion.signal
  }

  get ended(): boolean {
    return this.phase === 'over'
  }

  abort(reason: Error): void {
    if (this.phase !== 'open') return
    this.abortReason = reason
    this.#end()
    this.abortion?.abort(reason)
    this.controller?.abort(reason)
    super.onResponseError(this, reason)
  }

  /** Ends the call with what was thrown before it was sent. */
  failUnsent(error: Error): void {
    this.abort(this.telling?.unsent(error) ?? error)
  }

  /** Nothing of it is told any more. */
  discard(): void {
    this.#end()
  }

  pause(): void {
    this.controller?.pause()
  }

  resume(): void {
    this.controller?.resume()
  }

  get paused(): boolean {
    return this.controller?.paused ?? false
  }

  get aborted(): boolean {
    return this.abortReason !== null || (this.controller?.aborted ?? false)
  }

  get reason(): Error | null {
    return this.abortReason ?? this.controller?.reason ?? null
  }

  override onRequestStart(controller: Controller, context: unknown): void {
    if (this.phase === 'over') return controller.abort(this.abortReason ?? new Error('the call has ended'))
    this.controller = controller
    super.onRequestStart(this, context)
  }

  override onRequestUpgrade(...event: Parameters<ForwardingHandler['onRequestUpgrade']>): void {
    if (this.phase === 'over') return
    this.#end()
    super.onRequestUpgrade(...event)
  }

  override onResponseStart(
    controller: Controller,
    statusCode: number,
    headers: ResponseHeaders,
    statusMessage?: string,
  ): void {
    if (this.phase === 'over') return
    if (statusCode >= 200) this.underWay.answered(this)
    super.onResponseStart(controller, statusCode, headers, statusMessage)
  }

  override onResponseData(controller: Controller, chunk: Buffer): void {
    if (this.phase !== 'over') super.onResponseData(controller, chunk)
  }

  override onResponseEnd(controller: Controller, trailers: ResponseHeaders): void {
    if (this.phase === 'over') return
    // One that throws here is told of its error yet: that is how undici's retry interceptor begins anew.
    this.phase = 'ending'
    super.onResponseEnd(controller, trailers)
    this.#end()
  }

  override onResponseError(controller: Controller, error: Error): void {
    if (this.phase === 'over') return
    const isAnswered = this.deadlineAt === 0
    this.#end()
    super.onResponseError(controller, isAnswered ? error : (this.telling?.trouble(error) ?? error))
  }

  #end(): void {
    this.phase = 'over'
    this.underWay.ended(this)
    this.ending?.removeEventListener('abort', this)
    if (this.timer !== undefined) clearTimeout(this.timer)
  }
}
