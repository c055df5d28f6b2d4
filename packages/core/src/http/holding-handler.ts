import type { Dispatcher } from 'undici'
import { ForwardingHandler } from './forwarding-handler.ts'

type Controller = Dispatcher.DispatchController
type ResponseHeaders = Parameters<ForwardingHandler['onResponseStart']>[2]

/** Sends the request again, for the handler that is still waiting. */
export type SendAgain = () => void

/** A response that its caller has not seen. */
interface Held {
  readonly controller: Controller
  readonly statusCode: number
  readonly headers: ResponseHeaders
  readonly statusMessage: string | undefined
  readonly chunks: Buffer[]
  bytes: number
  trailers: ResponseHeaders | undefined
  /** What ended it while it was held. */
  error: Error | undefined
  dropped: boolean
  stopDraining: (() => void) | undefined
}

/** More of a response than this is neither kept in memory nor, once it is dropped, worth keeping its connection for. */
const maxBytes = 64 * 1024
const maxDrainMs = 1000

/**
 * A handler that can keep a response from its caller until it is known whether the request is to be sent again: then the
 * response is dropped, else the caller gets it as it came, with whatever ended it meanwhile.
 */
export class HoldingHandler extends ForwardingHandler {
  private held: Held | undefined

  /** `verdict` must not reject. */
  protected hold(
    controller: Controller,
    statusCode: number,
    headers: ResponseHeaders,
    statusMessage: string | undefined,
    verdict: Promise<SendAgain | undefined>,
  ): void {
    const parts = { controller, statusCode, headers, statusMessage, chunks: [], bytes: 0 }
    const held: Held = { ...parts, trailers: undefined, error: undefined, dropped: false, stopDraining: undefined }
    this.held = held
    void verdict.then((sendAgain) => {
      // Its caller may have given up.
      if (this.held !== held) return
      if (sendAgain === undefined) return this.release(held)
      this.drop(held)
      this.inContext(sendAgain)
    })
  }

  /** The same, of a response that is sure to be dropped: its connection is free before the request is sent again. */
  protected discard(controller: Controller, statusCode: number, headers: ResponseHeaders): void {
    const parts = { controller, statusCode, headers, statusMessage: undefined, chunks: [], bytes: 0 }
    this.held = { ...parts, trailers: undefined, error: undefined, dropped: false, stopDraining: undefined }
    this.drop(this.held)
  }

  override onResponseData(controller: Controller, chunk: Buffer): void {
    const held = this.held
    if (held === undefined) return super.onResponseData(controller, chunk)
    held.bytes += chunk.length
    if (!held.dropped) held.chunks.push(chunk)
    if (held.bytes <= maxBytes) return
    if (held.dropped) abort(controller, new Error('the rest of a dropped response is not read'))
    else controller.pause()
  }

  override onResponseEnd(controller: Controller, trailers: ResponseHeaders): void {
    const held = this.held
    if (held === undefined) return super.onResponseEnd(controller, trailers)
    held.trailers = trailers
    held.stopDraining?.()
  }

  override onResponseError(controller: Controller, error: Error): void {
    const held = this.held
    held?.stopDraining?.()
    if (held?.dropped === true) return
    // A server that answers early and closes makes for a reset: what it said still counts.
    if (held !== undefined && !controller.aborted) {
      held.error = error
      return
    }
    this.held = undefined
    super.onResponseError(controller, error)
  }

  private drop(held: Held): void {
    const { controller } = held
    held.dropped = true
    held.chunks.length = 0
    if (held.trailers !== undefined || held.error !== undefined) return
    if (controller.paused) return abort(controller, new Error('the rest of a dropped response is not read'))
    const timer = setTimeout(() => abort(controller, new Error('a dropped response did not end')), maxDrainMs).unref()
    held.stopDraining = () => clearTimeout(timer)
  }

  private release(held: Held): void {
    const { controller, statusCode, headers, statusMessage, chunks, trailers, error } = held
    this.held = undefined
    try {
      super.onResponseStart(controller, statusCode, headers, statusMessage)
      for (const chunk of chunks) super.onResponseData(controller, chunk)
      if (error !== undefined) super.onResponseError(controller, error)
      else if (trailers !== undefined) super.onResponseEnd(controller, trailers)
      else if (held.bytes > maxBytes) controller.resume()
    } catch (thrown) {
      // Nobody up the stack is left to catch what a handler throws, as undici does for a response that it has just read.
      this.held = { ...held, dropped: true }
      abort(controller, thrown as Error)
      super.onResponseError(controller, thrown as Error)
    }
  }
}

// undici's dump interceptor puts an abort of its own on the controller, which would end the whole call.
function abort(controller: Controller, error: Error): void {
  const { abort: original } = Object.getPrototypeOf(controller) as { abort?: Controller['abort'] }
  if (Object.hasOwn(controller, 'abort') && original !== undefined) original.call(controller, error)
  else controller.abort(error)
}
