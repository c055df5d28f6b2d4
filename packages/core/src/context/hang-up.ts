import type { ServerResponse } from 'node:http'

/** What ends calls: an `AbortSignal`, or as much of one as a call needs. */
export interface Ending {
  readonly aborted: boolean
  readonly reason: unknown
  addEventListener(type: 'abort', listener: () => void, options?: { readonly once: true }): void
  removeEventListener(type: 'abort', listener: () => void): void
}

const hangUp = Symbol('tokenwell.hangUp')

/**
 * Aborts when the caller of an inbound request hangs up before it got its answer. A signal is made of it only for who asks: it
 * would cost each request more than its call does.
 */
export class HangUp implements Ending {
  readonly #listeners = new Set<() => void>()
  #reason: DOMException | undefined
  #controller: AbortController | undefined

  /** The one of this response, however many contexts are made of it: one listener, which is all that Node.js likes. */
  static of(response: ServerResponse & { [hangUp]?: HangUp }): HangUp {
    return (response[hangUp] ??= new HangUp(response))
  }

  private constructor(response: ServerResponse) {
    const onClose = () => {
      if (!hasAnswered(response)) this.#abort()
    }
    if (hasClosed(response)) onClose()
    else response.once('close', onClose)
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

  addEventListener(_type: 'abort', listener: () => void): void {
    this.#listeners.add(listener)
  }

  removeEventListener(_type: 'abort', listener: () => void): void {
    this.#listeners.delete(listener)
  }

  #abort(): void {
    this.#reason = new DOMException('The inbound caller hung up', 'AbortError')
    this.#controller?.abort(this.#reason)
    for (const listener of this.#listeners) {
      try {
        listener()
      } catch (error) {
        // As an AbortSignal has it: the others are told all the same.
        queueMicrotask(() => {
          throw error
        })
      }
    }
    this.#listeners.clear()
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
