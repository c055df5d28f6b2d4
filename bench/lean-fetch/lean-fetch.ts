import { pipeline, Readable } from 'node:stream'
import zlib from 'node:zlib'
import * as undici from 'undici'
import { LeanBody } from './body.ts'
import { leanResponse } from './response.ts'

type Dispatcher = undici.Dispatcher
type Controller = undici.Dispatcher.DispatchController
type RawHeaders = Record<string, string | string[] | undefined>

const redirectStatus = new Set([301, 302, 303, 307, 308])
const maxRedirects = 20
const usual = new Set(['method', 'headers', 'body', 'signal', 'redirect', 'dispatcher', 'duplex', 'credentials'])

/** Options that this takes; anything else goes to undici's own fetch. */
export interface LeanInit extends undici.RequestInit {
  readonly dispatcher: Dispatcher
}

/** `fetch` for plain calls, by `dispatch` and with little around it; undici's for all others. */
export function leanFetch(url: string, init: LeanInit): Promise<undici.Response> {
  return isPlain(init) ? new LeanCall(url, init).promise : undici.fetch(url, init)
}

function isPlain(init: LeanInit): boolean {
  for (const [name, value] of Object.entries(init)) if (!usual.has(name) && value !== undefined) return false
  const { body } = init
  return body === undefined || body === null || typeof body === 'string' || body instanceof Uint8Array
}

const ownHeaders = { accept: '*/*', 'accept-language': '*', 'sec-fetch-mode': 'cors', 'user-agent': 'undici' }

class LeanCall {
  readonly promise: Promise<undici.Response>
  readonly #resolve: (response: undici.Response) => void
  readonly #reject: (error: unknown) => void
  readonly #dispatcher: Dispatcher
  readonly #redirect: string
  readonly #signal: AbortSignal | undefined
  readonly #body = new LeanBody()
  #method: string
  #headers: Record<string, string>
  #payload: string | Uint8Array | null
  #url: URL
  #hops = 0
  #controller: Controller | undefined
  #onAbort: (() => void) | undefined
  #sink: { push(chunk: Buffer): void; end(): void } = this.#body

  constructor(url: string, init: LeanInit) {
    const { promise, resolve, reject } = Promise.withResolvers<undici.Response>()
    this.promise = promise
    this.#resolve = resolve
    this.#reject = reject
    this.#url = new URL(url)
    this.#method = methodOf(init.method)
    this.#dispatcher = init.dispatcher
    this.#redirect = init.redirect ?? 'follow'
    this.#payload = (init.body as string | Uint8Array | null | undefined) ?? null
    this.#headers = headersOf(init.headers, this.#url.protocol, this.#payload)
    this.#signal = init.signal ?? undefined
    const signal = this.#signal
    if (signal !== undefined) {
      this.#onAbort = () => this.#abort(signal.reason)
      signal.addEventListener('abort', this.#onAbort, { once: true })
    }
    if (signal?.aborted === true) this.#abort(signal.reason)
    else this.#send()
  }

  #send(): void {
    const { origin, pathname, search } = this.#url
    this.#dispatcher.dispatch(
      {
        origin,
        path: pathname + search,
        method: this.#method,
        headers: this.#headers,
        body: this.#payload,
      },
      this.#handler(),
    )
  }

  #handler(): undici.Dispatcher.DispatchHandler {
    let following: URL | undefined
    return {
      onRequestStart: (controller) => {
        this.#controller = controller
        if (this.#signal?.aborted === true) controller.abort(this.#signal.reason)
      },
      onResponseStart: (controller, status, headers, statusText) => {
        if (status < 200) return
        following = this.#next(status, headers)
        if (following !== undefined) return
        if (this.#redirect === 'error' && redirectStatus.has(status)) {
          return controller.abort(new TypeError('unexpected redirect'))
        }
        this.#answer(controller, status, headers, statusText ?? '')
      },
      onResponseData: (_controller, chunk) => {
        if (following === undefined) this.#sink.push(chunk)
      },
      onResponseEnd: () => {
        if (following !== undefined) return this.#follow(following)
        this.#sink.end()
        this.#forget()
      },
      onResponseError: (_controller, error) => this.#fail(error),
    }
  }

  #answer(controller: Controller, status: number, headers: RawHeaders, statusText: string): void {
    const hasBody = this.#method !== 'HEAD'
    this.#body.connect(controller)
    const coding = headers['content-encoding']
    if (hasBody && typeof coding === 'string') this.#decode(coding, controller)
    const { href: url } = this.#url
    this.#resolve(leanResponse({ status, statusText, headers, url, redirected: this.#hops > 0, hasBody }, this.#body))
  }

  #decode(coding: string, controller: Controller): void {
    const codings = coding
      .toLowerCase()
      .split(',')
      .map((one) => one.trim())
      .toReversed()
    const decoders = codings.map(decoderOf)
    if (decoders.includes(undefined)) return
    const source = new Readable({ read: () => controller.resume() })
    const decoded = pipeline([source, ...(decoders as NodeJS.ReadWriteStream[])], (error) => {
      if (error) this.#body.fail(new TypeError('terminated', { cause: error }))
      else this.#body.end()
    }) as unknown as Readable
    decoded.on('data', (chunk: Buffer) => this.#body.push(chunk))
    const abort = (reason: Error) => controller.abort(reason)
    this.#body.connect({ abort, pause: () => decoded.pause(), resume: () => decoded.resume() })
    this.#sink = {
      push(chunk) {
        if (!source.push(chunk)) controller.pause()
      },
      end: () => void source.push(null),
    }
  }

  #next(status: number, headers: RawHeaders): URL | undefined {
    if (this.#redirect !== 'follow' || !redirectStatus.has(status)) return undefined
    const { location } = headers
    return typeof location === 'string' ? new URL(location, this.#url) : undefined
  }

  #follow(url: URL): void {
    this.#hops += 1
    if (this.#hops > maxRedirects) return this.#fail(new Error('redirect count exceeded'))
    if (!/^https?:$/.test(url.protocol)) return this.#fail(new Error('URL scheme must be a HTTP(S) scheme'))
    const headers = { ...this.#headers }
    if (url.origin !== this.#url.origin) {
      for (const name of ['authorization', 'proxy-authorization', 'cookie', 'host']) delete headers[name]
    }
    this.#url = url
    this.#headers = headers
    this.#send()
  }

  #abort(reason: unknown): void {
    this.#reject(reason)
    this.#body.fail(reason)
    this.#controller?.abort(reason as Error)
  }

  #fail(error: Error): void {
    this.#forget()
    if (this.#signal?.aborted === true) return this.#abort(this.#signal.reason)
    this.#reject(new TypeError('fetch failed', { cause: error }))
    this.#body.fail(new TypeError('terminated', { cause: error }))
  }

  #forget(): void {
    if (this.#onAbort !== undefined) this.#signal?.removeEventListener('abort', this.#onAbort)
  }
}

function methodOf(method: string | undefined): string {
  if (method === undefined) return 'GET'
  const upper = method.toUpperCase()
  return /^(?:DELETE|GET|HEAD|OPTIONS|POST|PUT)$/.test(upper) ? upper : method
}

function headersOf(given: undici.RequestInit['headers'], protocol: string, payload: unknown): Record<string, string> {
  const headers: Record<string, string> = {}
  for (const [name, value] of entriesOf(given)) {
    const lower = name.toLowerCase()
    headers[lower] = lower in headers ? `${headers[lower]}, ${value}` : value
  }
  for (const name in ownHeaders) headers[name] ??= ownHeaders[name as keyof typeof ownHeaders]
  headers['accept-encoding'] ??= protocol === 'https:' ? 'br, gzip, deflate' : 'gzip, deflate'
  if (typeof payload === 'string') headers['content-type'] ??= 'text/plain;charset=UTF-8'
  return headers
}

function entriesOf(given: undici.RequestInit['headers']): Iterable<[string, string]> {
  if (given === undefined || given === null) return []
  if (Symbol.iterator in given) return given as Iterable<[string, string]>
  return Object.entries(given as Record<string, string>)
}

function decoderOf(coding: string): NodeJS.ReadWriteStream | undefined {
  if (coding === 'gzip' || coding === 'x-gzip') return zlib.createGunzip()
  if (coding === 'deflate') return zlib.createInflate()
  if (coding === 'br') return zlib.createBrotliDecompress()
  if (coding === 'zstd') return zlib.createZstdDecompress()
  return undefined
}
