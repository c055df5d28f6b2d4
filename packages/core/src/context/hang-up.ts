import type { ServerResponse } from 'node:http'

/** What ends calls: an `AbortSignal`, or as much of one as a call needs. */
export interface Ending {
  readonly aborted: boolean
  readonly reason: unknown
  addEventListener(type: 'abort', listener: EndingListener): void
  removeEventListener(type: 'abort', listener: EndingListener): void
}

/** An object, as the DOM has it too, since a call is one already. */
export interface EndingListener {
  handleEvent(): void
}

const hangUp = Symbol('tokenwell.hangUp')

/**
 * Aborts when the caller of an inbound request hangs up before it got its answer. A signal is made of it only for who asks: it
 * would cost each request more than its call does.
 */
export class HangUp implements Ending {
  // Most requests make one call at a time.
  #listener: EndingListener | undefined
  #others: Set<EndingListener> | undefined
  #reason: DOMException | undefined
  #controller: AbortController | undefined

  /** The one of this response, however many contexts are made of it: one listener, which is all that Node.js likes. */
  static of(response: ServerResponse & { [hangUp]?: HangUp }): HangUp {
    return (response[hangUp] ??= new HangUp(response))
  }

  private constructor(response: ServerResponse) {
    // Not by `once`, whose wrapper costs as much as the rest of this.
    const onClose = () => {
      response.removeListener('close', onClose)
      if (!hasAnswered(response)) this.#abort()
    }
    if (hasClosed(response)) onClose()
    else response.on('close', onClose)
  }

  get aborted(): boolean {
    return this.#reason !== undefined
  }

  get reason(): unknown {
    return this.#reason
  }

  /** The same as a signal; undefined while nobody has asked for it. */
  get made(): AbortSignal | undefined {
    return this.#controller?.signal
  }

  /** The same as a signal. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      if (this.#reason !== undefined) this.#controller.abort(this.#reason)
    }
    return this.#controller.signal
  }

  addEventListener(_type: 'abort', listener: EndingListener): void {
    if (this.#listener === undefined) this.#listener = listener
    else (this.#others ??= new Set()).add(listener)
  }

  removeEventListener(_type: 'abort', listener: EndingListener): void {
    if (this.#listener === listener) this.#listener = undefined
    else this.#others?.delete(listener)
  }

  #abort(): void {
    this.#reason = new DOMException('The inbound caller hung up', 'AbortError')
    this.#controller?.abort(this.#reason)
    const listeners = [this.#listener, ...(this.#others ?? [])]
    this.#listener = undefined
    this.#others = undefined
    for (const listener of listeners) {
      try {
        listener?.handleEvent()
      } catch (error) {
        // As an AbortSignal has it: the others are told all the same.
        queueMicrotask(() => {
          throw error
        })
      }
    }
  }
}

// The response of node:http2 counts as finished once its stream is closed, whoever closed it, and in some versions never.
function hasAnswered({
  writableEnded,
  writableFinished,
}: {
  readonly writableEnded: boolean
  readonly writableFinished?: boolean
}): boolean {
  return writableEnded && writableFinished !== false
}

// The response of node:http2 has no `destroyed`; its stream has.
function hasClosed(
  response: Pick<ServerResponse, 'destroyed'> & { readonly stream?: { readonly destroyed: boolean } },
): boolean {
  return response.destroyed || response.stream?.destroyed === true
}
