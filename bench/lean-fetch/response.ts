import * as undici from 'undici'
import type { LeanBody } from './body.ts'

type RawHeaders = Record<string, string | string[] | undefined>

const nullBodyStatus = new Set([101, 103, 204, 205, 304])

/** What a response was made of. */
export interface ResponseParts {
  readonly status: number
  readonly statusText: string
  readonly headers: RawHeaders
  readonly url: string
  readonly redirected: boolean
  readonly hasBody: boolean
}

const immutable = () => {
  throw new TypeError('immutable')
}
// Of headers that were received.
const receivedHeaders = Object.create(undici.Headers.prototype, {
  append: { value: immutable },
  set: { value: immutable },
  delete: { value: immutable },
}) as object

/** A `Response` whose headers and stream are made when somebody asks for them. */
class LeanResponse {
  readonly #parts: ResponseParts
  readonly #body: LeanBody
  #headers: undici.Headers | undefined

  constructor(parts: ResponseParts, body: LeanBody) {
    this.#parts = parts
    this.#body = body
  }

  get type(): 'basic' {
    return 'basic'
  }
  get url(): string {
    return this.#parts.url
  }
  get redirected(): boolean {
    return this.#parts.redirected
  }
  get status(): number {
    return this.#parts.status
  }
  get ok(): boolean {
    return this.status >= 200 && this.status < 300
  }
  get statusText(): string {
    return this.#parts.statusText
  }
  get headers(): undici.Headers {
    return (this.#headers ??= headersOf(this.#parts.headers))
  }
  get body(): ReadableStream<Uint8Array> | null {
    return this.#hasBody ? this.#body.stream : null
  }
  get bodyUsed(): boolean {
    return this.#body.used
  }
  async bytes(): Promise<Uint8Array> {
    return this.#hasBody ? new Uint8Array(await this.#body.whole()) : new Uint8Array()
  }
  async arrayBuffer(): Promise<ArrayBuffer> {
    return (await this.bytes()).buffer as ArrayBuffer
  }
  async text(): Promise<string> {
    if (!this.#hasBody) return ''
    return textOf(await this.#body.whole())
  }
  async json(): Promise<unknown> {
    return JSON.parse(await this.text())
  }
  async blob(): Promise<Blob> {
    const bytes = await this.bytes()
    return new Blob([bytes as Uint8Array<ArrayBuffer>], { type: this.headers.get('content-type') ?? '' })
  }
  async formData(): Promise<undici.FormData> {
    return new undici.Response(await this.bytes(), { headers: this.headers }).formData()
  }
  clone(): undici.Response {
    if (this.bodyUsed || (this.#hasBody && this.#body.stream.locked)) {
      throw new TypeError('Response.clone: Body has already been consumed.')
    }
    if (!this.#hasBody) return asResponse(new LeanResponse(this.#parts, this.#body))
    const [mine, other] = this.#body.stream.tee()
    this.#body.replace(mine)
    const { status, statusText } = this
    return new undici.Response(other, { status, statusText, headers: this.headers })
  }

  get #hasBody(): boolean {
    return this.#parts.hasBody && !nullBodyStatus.has(this.#parts.status)
  }
}

const { constructor: _, ...members } = Object.getOwnPropertyDescriptors(LeanResponse.prototype)
const prototype = Object.create(globalThis.Response.prototype, members) as object
Object.setPrototypeOf(LeanResponse.prototype, prototype)

export function leanResponse(parts: ResponseParts, body: LeanBody): undici.Response {
  return asResponse(new LeanResponse(parts, body))
}

function asResponse(lean: LeanResponse): undici.Response {
  return lean as unknown as undici.Response
}

function headersOf(raw: RawHeaders): undici.Headers {
  const pairs: [string, string][] = []
  for (const [name, value] of Object.entries(raw)) {
    if (Array.isArray(value)) for (const one of value) pairs.push([name, one])
    else if (value !== undefined) pairs.push([name, value])
  }
  const headers = new undici.Headers(pairs)
  return Object.setPrototypeOf(headers, receivedHeaders) as undici.Headers
}

// With a mark at its front, which is not part of the text.
function textOf(bytes: Uint8Array): string {
  const buffer = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const start = buffer[0] === 0xef && buffer[1] === 0xbb && buffer[2] === 0xbf ? 3 : 0
  return buffer.toString('utf8', start)
}
