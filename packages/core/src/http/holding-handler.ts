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
  trailers: ResponseHeaders | undefined
  dropped: boolean
  drainedBytes: number
}

/** More of a dropped response than this is not worth keeping its connection for. */
const maxDrainBytes = 64 * 1024

/**
 * A handler that can keep a response from its caller until it is known whether the request is to be sent again: then the
 * response is dropped, else the caller gets it as it came.
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
    const parts = { controller, statusCode, headers, statusMessage, chunks: [] }
    const held: Held = { ...parts, trailers: undefined, dropped: false, drainedBytes: 0 }
    this.held = held
    controller.pause()
    void verdict.then((sendAgain) => {
      // It may have failed meanwhile.
      if (this.held !== held) return
      if (sendAgain === undefined) return this.release(held)
      held.dropped = true
      held.chunks.length = 0
      controller.resume()
      sendAgain()
    })
  }

  override onResponseData(controller: Controller, chunk: Buffer): void {
    const held = this.held
    if (held === undefined) super.onResponseData(controller, chunk)
    else if (!held.dropped) held.chunks.push(chunk)
    else {
      held.drainedBytes += chunk.length
      if (held.drainedBytes > maxDrainBytes) abort(controller, new Error('the rest of a dropped response is not read'))
    }
  }

  override onResponseEnd(controller: Controller, trailers: ResponseHeaders): void {
    if (this.held === undefined) super.onResponseEnd(controller, trailers)
    else this.held.trailers = trailers
  }

  override onResponseError(controller: Controller, error: Error): void {
    if (this.held?.dropped === true) return
    this.held = undefined
    super.onResponseError(controller, error)
  }

  private release(held: Held): void {
    const { controller, statusCode, headers, statusMessage, chunks, trailers } = held
    this.held = undefined
    try {
      super.onResponseStart(controller, statusCode, headers, statusMessage)
      for (const chunk of chunks) super.onResponseData(controller, chunk)
      if (trailers === undefined) controller.resume()
      else super.onResponseEnd(controller, trailers)
    } catch (error) {
      // Nobody up the stack is left to catch what a handler throws, as undici does for a response that it has just read.
      this.held = { ...held, dropped: true }
      abort(controller, error as Error)
      super.onResponseError(controller, error as Error)
    }
  }
}

// undici's dump interceptor puts an abort of its own on the controller, which would end the whole call.
function abort(controller: Controller, error: Error): void {
  const { abort: original } = Object.getPrototypeOf(controller) as { abort?: Controller['abort'] }
  if (Object.hasOwn(controller, 'abort') && original !== undefined) original.call(controller, error)
  else controller.abort(error)
}
