import { Writable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import * as undici from 'undici'
import type { Upstream } from '../../src/index.ts'

/** What a call was answered. */
export interface Answer {
  readonly status: number
  readonly body: Buffer
}

/** What calls go through: an upstream's own functions, or undici's over a dispatcher. */
export interface Way {
  readonly origin: string
  readonly dispatcher: undici.Dispatcher
  readonly upstream?: Upstream | undefined
}

/** What is said about a call besides where it goes. */
export interface Init {
  readonly method?: 'GET' | 'POST'
  readonly headers?: Record<string, string>
  readonly body?: string
  readonly signal?: AbortSignal
}

/** The names of undici's own functions. */
type EntryPoint = 'fetch' | 'request' | 'dispatcher.request' | 'dispatcher.stream' | 'dispatcher.pipeline'

type Call = (way: Way, path: string, init?: Init) => Promise<Answer>

/** Every way in which undici lets a request be made, but for tunnels. `path` is taken from the origin. */
export const entryPoints: Readonly<Record<EntryPoint, Call>> = {
  async fetch({ origin, dispatcher, upstream }, path, init) {
    const response =
      upstream === undefined
        ? await undici.fetch(origin + path, { ...init, dispatcher })
        : await upstream.fetch(origin + path, init)
    return { status: response.status, body: Buffer.from(await response.arrayBuffer()) }
  },
  async request({ origin, dispatcher, upstream }, path, init) {
    const response =
      upstream === undefined
        ? await undici.request(origin + path, { ...init, dispatcher })
        : await upstream.request(origin + path, init)
    return { status: response.statusCode, body: await buffer(response.body) }
  },
  async 'dispatcher.request'({ origin, dispatcher }, path, init) {
    const { statusCode, body } = await dispatcher.request({ method: 'GET', ...init, origin, path })
    return { status: statusCode, body: await buffer(body) }
  },
  async 'dispatcher.stream'({ origin, dispatcher }, path, init) {
    const sink = collector()
    let status = 0
    await dispatcher.stream({ method: 'GET', ...init, origin, path }, ({ statusCode }) => {
      status = statusCode
      return sink.stream
    })
    return { status, body: sink.collected() }
  },
  async 'dispatcher.pipeline'({ origin, dispatcher }, path, { body, ...init } = {}) {
    let status = 0
    const duplex = dispatcher.pipeline({ method: 'GET', ...init, origin, path }, (response) => {
      status = response.statusCode
      return response.body
    })
    duplex.end(body)
    return { body: await buffer(duplex), status }
  },
}

/** A sink, and what was written into it. */
export function collector(): { stream: Writable; collected: () => Buffer } {
  const chunks: Buffer[] = []
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      chunks.push(chunk)
      done()
    },
  })
  return { stream, collected: () => Buffer.concat(chunks) }
}

/** The stable part of what went wrong: undici's own code, which `request` and undici's fetch wrap, else that of the error. */
export function codeOf(error: unknown): string {
  const { code, cause, name } = error as { code?: string; cause?: { code?: string }; name: string }
  return cause?.code ?? code ?? name
}
