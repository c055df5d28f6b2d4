import { Dispatcher } from 'undici'

/** What a {@link PipelineDispatcher} does with a request and with its own end. */
export interface Pipeline {
  readonly dispatch: Dispatcher.Dispatch
  close(): Promise<void>
}

/**
 * An undici dispatcher made of a chain of interceptors. Unlike `compose`, it puts no Proxy before each call.
 */
export class PipelineDispatcher extends Dispatcher {
  readonly #pipeline: Pipeline

  constructor(pipeline: Pipeline) {
    super()
    this.#pipeline = pipeline
  }

  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    this.#pipeline.dispatch(options, handler)
    // What a dispatcher below means by false, waiting for its `drain`, nobody could do here.
    return true
  }

  override close(callback?: () => void): Promise<void> & void {
    return this.#end(callback)
  }

  override destroy(errorOrCallback?: Error | null | (() => void), callback?: () => void): Promise<void> & void {
    return this.#end(typeof errorOrCallback === 'function' ? errorOrCallback : callback)
  }

  #end(callback: (() => void) | undefined): Promise<void> & void {
    const ended = this.#pipeline.close()
    if (callback !== undefined) void ended.then(callback)
    return ended as Promise<void> & void
  }
}
