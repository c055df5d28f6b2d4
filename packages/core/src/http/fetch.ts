import * as undici from 'undici'
import type { CallContext } from '../context/call-context.ts'
import { TokenwellError } from '../errors.ts'
import { signalFor } from './apply-context.ts'
import { PipelineDispatcher } from './pipeline-dispatcher.ts'
import { encodeBody } from './replayable-body.ts'
import type { TargetResolver } from './target.ts'

/** WHATWG fetch as this Node.js has it. */
export type Fetch = typeof globalThis.fetch

/** What {@link createFetch} stands on. */
export interface CreateFetchOptions {
  readonly dispatcher: undici.Dispatcher
  readonly targets: TargetResolver
  /** The context of the call that is being made, if it has one. */
  readonly current: () => CallContext | undefined
  /** Whether bodies are to be at hand for being sent again. */
  readonly replay: boolean
}

/**
 * `fetch` for one upstream: a path is taken as below its base URL, an absolute URL must be of an allowed origin.
 * Takes this Node's own `Request` and `FormData`, whose classes are not undici's. A failure to get a token rejects with
 * the `TokenwellError` itself instead of `TypeError: fetch failed`.
 */
export function createFetch({ dispatcher, targets, current, replay }: CreateFetchOptions): Fetch {
  const fetch = async (input: string | URL | Request, init?: RequestInit): Promise<undici.Response> => {
    const isRequest = typeof input === 'object' && !(input instanceof URL)
    const { origin, path } = targets.resolve(isRequest ? input.url : input)
    const own = { ...(isRequest ? fromRequest(input) : {}), ...definedIn(init) } as undici.RequestInit
    const ambient = signalFor(own.method ?? 'GET', current())
    const body: unknown = own.body instanceof FormData ? toUndiciFormData(own.body) : own.body
    try {
      const encoded = replay ? await encodeBody(body) : undefined
      const signal = both(own.signal, ambient)
      if (encoded === undefined) {
        const converted = body === undefined ? {} : { body: body as undici.BodyInit | null }
        return await undici.fetch(origin + path, { ...own, ...converted, signal, dispatcher })
      }
      const headers = new undici.Headers(own.headers)
      if (encoded.type !== null && !headers.has('content-type')) headers.set('content-type', encoded.type)
      // undici's fetch turns every body into a stream, which could not be sent again: below it, the body itself goes instead.
      const again = encoded.body as NonNullable<undici.Dispatcher.DispatchOptions['body']>
      const withBody = new PipelineDispatcher({
        dispatch: (call, handler) => dispatcher.dispatch(hasBody(call) ? { ...call, body: again } : call, handler),
        close: async () => {},
      })
      return await undici.fetch(origin + path, { ...own, headers, body: encoded.body, signal, dispatcher: withBody })
    } catch (error) {
      throw reasonOf(error, own.signal, ambient)
    }
  }
  return fetch
}

function hasBody({ body }: undici.Dispatcher.DispatchOptions): boolean {
  return body !== undefined && body !== null
}

// Told to undici too, so that a body which is being read ends with the signal's own reason. `any` leaves no listener on a
// signal that outlives the call.
function both(own: AbortSignal | null | undefined, ambient: AbortSignal | undefined): AbortSignal | null {
  if (ambient === undefined) return own ?? null
  return AbortSignal.any(own === null || own === undefined ? [ambient] : [own, ambient])
}

const initMembers = [
  'method',
  'headers',
  'body',
  'redirect',
  'signal',
  'duplex',
  'credentials',
  'cache',
  'mode',
  'referrer',
  'referrerPolicy',
  'integrity',
  'keepalive',
  'window',
] as const

// WebIDL reads members by name, inherited ones too (so a Request may be an init), and one that is undefined counts as not
// given. A body of null leaves that of the Request.
function definedIn(init: RequestInit | undefined): Record<string, unknown> {
  const own: Record<string, unknown> = {}
  if (init === undefined || init === null) return own
  for (const name of initMembers) {
    const value = (init as Record<string, unknown>)[name]
    if (value !== undefined && !(name === 'body' && value === null)) own[name] = value
  }
  return own
}

// What undici would read from a Request of its own class.
function fromRequest(request: Request): object {
  const { method, headers, body, signal, redirect, credentials, cache, integrity, keepalive, referrerPolicy } = request
  const fields = {
    method,
    headers: [...headers],
    signal,
    redirect,
    credentials,
    cache,
    integrity,
    keepalive,
    referrerPolicy,
  }
  return body === null ? fields : { ...fields, body, duplex: 'half' }
}

function toUndiciFormData(form: FormData): undici.FormData {
  const copy = new undici.FormData()
  for (const [name, value] of form) {
    if (typeof value === 'string') copy.append(name, value)
    else copy.append(name, value, value.name)
  }
  return copy
}

// undici wraps whatever ended the request in `TypeError: fetch failed`; what we threw, and what the caller aborted with,
// are better told as they are.
function reasonOf(error: unknown, own: AbortSignal | null | undefined, context: AbortSignal | undefined): unknown {
  if (own?.aborted === true) return own.reason
  const cause = error instanceof Error ? error.cause : undefined
  if (cause instanceof TokenwellError) return cause
  return context?.aborted === true ? context.reason : error
}
