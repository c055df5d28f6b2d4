import { Dispatcher } from 'undici'

/** Answers token requests and calls alike, at once and without sockets, so that nothing but the path itself allocates. */
export class InstantServer extends Dispatcher {
  readonly #answerOf: () => string

  constructor(answerOf: () => string) {
    super()
    this.#answerOf = answerOf
  }

  override dispatch(_options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    const answer = this.#answerOf()
    const controller = { aborted: false, paused: false, reason: null, abort() {}, pause() {}, resume() {} }
    queueMicrotask(() => {
      handler.onRequestStart?.(controller, {})
      handler.onResponseStart?.(controller, 200, { 'content-type': 'application/json' }, 'OK')
      handler.onResponseData?.(controller, Buffer.from(answer))
      handler.onResponseEnd?.(controller, {})
    })
    return true
  }
}

/** An answer that has this token. */
export function tokenAnswer(token: string): string {
  return JSON.stringify({ access_token: token, token_type: 'Bearer', expires_in: 3600 })
}
