import { Dispatcher } from 'undici'

/** A dispatcher that answers every token request at once, without sockets: for what is measured on this side of them. */
export class InstantTokenEndpoint extends Dispatcher {
  requests = 0
  readonly #tokenBytes: number

  /** Tokens have at least so many bytes. */
  constructor(tokenBytes = 0) {
    super()
    this.#tokenBytes = tokenBytes
  }

  override dispatch(_options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    this.requests += 1
    const token = `token-${this.requests}`.padEnd(this.#tokenBytes, 'x')
    const body = JSON.stringify({ access_token: token, token_type: 'Bearer', expires_in: 3600 })
    const controller = { aborted: false, paused: false, reason: null, abort() {}, pause() {}, resume() {} }
    queueMicrotask(() => {
      handler.onRequestStart?.(controller, {})
      handler.onResponseStart?.(controller, 200, { 'content-type': 'application/json' }, 'OK')
      handler.onResponseData?.(controller, Buffer.from(body))
      handler.onResponseEnd?.(controller, {})
    })
    return true
  }
}

/** Answers every call at once. */
export class InstantApi extends Dispatcher {
  override dispatch(_options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    const controller = { aborted: false, paused: false, reason: null, abort() {}, pause() {}, resume() {} }
    queueMicrotask(() => {
      handler.onRequestStart?.(controller, {})
      handler.onResponseStart?.(controller, 200, { 'content-type': 'application/json', 'content-length': '2' }, 'OK')
      handler.onResponseData?.(controller, Buffer.from('{}'))
      handler.onResponseEnd?.(controller, {})
    })
    return true
  }
}
