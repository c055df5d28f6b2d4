import type { Dispatcher } from 'undici'

type Controller = Pick<Dispatcher.DispatchController, 'abort' | 'pause' | 'resume'>

/** As much as is taken in while nobody reads. */
const highWaterMark = 64 * 1024

/**
 * The body of a response, as bytes that arrive. Most are read whole, by `text` or `json`, for which no stream is needed; one is made
 * when somebody asks for it.
 */
export class LeanBody {
  #chunks: Uint8Array[] = []
  #size = 0
  #ended = false
  #error: unknown
  #failed = false
  #controller: Controller | undefined
  #whole: PromiseWithResolvers<Uint8Array> | undefined
  #stream: ReadableStream<Uint8Array> | undefined
  #streamController: ReadableByteStreamController | undefined
  used = false

  /** What the connection is held back with. */
  connect(controller: Controller): void {
    this.#controller = controller
  }

  push(chunk: Uint8Array): void {
    if (this.#streamController !== undefined) {
      this.#streamController.enqueue(new Uint8Array(chunk))
      if ((this.#streamController.desiredSize ?? 0) <= 0) this.#controller?.pause()
      return
    }
    this.#chunks.push(chunk)
    this.#size += chunk.byteLength
    if (this.#whole === undefined && this.#size > highWaterMark) this.#controller?.pause()
  }

  end(): void {
    this.#ended = true
    if (this.#streamController !== undefined) {
      this.#streamController.close()
      // A pending BYOB read is answered with nothing.
      this.#streamController.byobRequest?.respond(0)
    }
    this.#whole?.resolve(this.#take())
  }

  fail(error: unknown): void {
    if (this.#ended || this.#failed) return
    this.#failed = true
    this.#error = error
    this.#chunks = []
    this.#streamController?.error(error)
    this.#whole?.reject(error)
  }

  /** All of it, once. */
  whole(): Promise<Uint8Array> {
    if (this.used || this.#stream?.locked === true) {
      return Promise.reject(new TypeError('Body is unusable: Body has already been read'))
    }
    if (this.#stream !== undefined) return this.#drain(this.#stream)
    this.used = true
    if (this.#failed) return Promise.reject(this.#error)
    if (this.#ended) return Promise.resolve(this.#take())
    this.#whole = Promise.withResolvers()
    this.#controller?.resume()
    return this.#whole.promise
  }

  get stream(): ReadableStream<Uint8Array> {
    if (this.#stream !== undefined) return this.#stream
    this.#stream = new ReadableStream({
      type: 'bytes',
      start: (controller) => {
        if (this.used) return controller.close()
        this.#streamController = controller
        if (this.#failed) return controller.error(this.#error)
        for (const chunk of this.#chunks) controller.enqueue(new Uint8Array(chunk))
        this.#chunks = []
        if (this.#ended) controller.close()
      },
      pull: () => this.#controller?.resume(),
      cancel: (reason) => this.#controller?.abort(reason instanceof Error ? reason : new Error('cancelled')),
    })
    return this.#stream
  }

  /** For a clone: takes the place of this body's stream. */
  replace(stream: ReadableStream<Uint8Array>): void {
    this.#stream = stream
  }

  async #drain(stream: ReadableStream<Uint8Array>): Promise<Uint8Array> {
    this.used = true
    const chunks: Uint8Array[] = []
    for await (const chunk of stream) chunks.push(chunk)
    return Buffer.concat(chunks)
  }

  #take(): Uint8Array {
    const [first] = this.#chunks
    const whole = this.#chunks.length === 1 && first !== undefined ? first : Buffer.concat(this.#chunks)
    this.#chunks = []
    return whole
  }
}
