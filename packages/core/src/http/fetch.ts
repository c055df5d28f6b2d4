import * as undici from 'undici'
import type { MergedContext } from '../context/call-context.ts'
import type { Ending } from '../context/hang-up.ts'
import { fetchFailed, TokenwellError, UpstreamUnreachableError } from '../errors.ts'
import { readAtOnce } from './at-hand.ts'
import { signalFor } from './context-signal.ts'
import { asOwnResponse } from './own-classes.ts'
import { encodeBody } from './replayable-body.ts'
import type { TargetResolver } from './target.ts'
import { Unsent } from './unreachable.ts'

/** WHATWG fetch as this Node.js has it. */
export type Fetch = typeof globalThis.fetch

/** What {@link createFetch} stands on. */
export interface CreateFetchOptions {
  /** As much of a dispatcher as undici's fetch asks for. */
  readonly dispatcher: Pick<undici.Dispatcher, 'dispatch'>
  readonly targets: TargetResolver
  /** The context of the call that is being made, if it has one. */
  readonly current: () => MergedContext | undefined
  /** Whether bodies are to be at hand for being sent again. */
  readonly sentAgain: boolean
}

/**
 * `fetch` for one upstream: a path is taken as below its base URL, an absolute URL must be of an allowed origin.
 * Takes this Node's own `Request` and `FormData`, whose classes are not undici's. A failure to get a token rejects with
 * what the token source threw instead of `TypeError: fetch failed`, which an API that cannot be reached still is.
 */
export function createFetch({ dispatcher, targets, current, sentAgain }: CreateFetchOptions): Fetch {
  const fetch = async (input: string | URL | Request, init?: RequestInit): Promise<undici.Response> => {
    const request = typeof input === 'object' && !(input instanceof URL) ? input : undefined
    const { origin, path } = targets.resolve(request === undefined ? (input as string | URL) : request.url)
    // Ours to change: what was given is only read.
    const own = membersOf(request, init)
    const context = current()
    const ambient = signalFor(own.method ?? 'GET', context)
    const given = own.signal
    if (ambient !== undefined) own.signal = both(given, ambient, context?.ending)
    own.dispatcher = dispatcher as undici.Dispatcher
    try {
      if (own.body !== undefined && own.body !== null) await prepareBody(own, request)
      return asOwnResponse(await undici.fetch(origin + path, own))
    } catch (error) {
      throw reasonOf(error, given, context?.ending, ambient !== undefined)
    }
  }

  async function prepareBody(own: Own, request: Request | undefined): Promise<void> {
    if (own.body instanceof FormData) own.body = toUndiciFormData(own.body)
    // A Request says nothing of what its body was made of.
    if (own.body instanceof ReadableStream && own.body === request?.body) own.body = await readAtOnce(own.body)
    const encoded = sentAgain ? await encodeBody(own.body) : undefined
    if (encoded === undefined) return
    const headers = new undici.Headers(own.headers)
    if (encoded.type !== null && !headers.has('content-type')) headers.set('content-type', encoded.type)
    own.headers = headers
    own.body = encoded.body
    // undici's fetch turns every body into a stream, which could not be sent again: below it, the body itself goes instead.
    const again = encoded.body as NonNullable<undici.Dispatcher.DispatchOptions['body']>
    const withBody: CreateFetchOptions['dispatcher'] = {
      dispatch: (call, handler) => dispatcher.dispatch(hasBody(call) ? { ...call, body: again } : call, handler),
    }
    own.dispatcher = withBody as undici.Dispatcher
  }

  return fetch
}

function hasBody({ body }: undici.Dispatcher.DispatchOptions): boolean {
  return body !== undefined && body !== null
}

// Told to undici too, so that a body which is being read ends with the signal's own reason. `any` leaves no listener on a
// signal that outlives the call, which that of one inbound request hardly does, and costs more than a call by `request`.
function both(own: AbortSignal | null | undefined, ambient: AbortSignal, ending: Ending | undefined): AbortSignal {
  if (own !== null && own !== undefined) return AbortSignal.any([own, ambient])
  return ending instanceof AbortSignal ? AbortSignal.any([ambient]) : ambient
}

type Own = { -readonly [Member in keyof undici.RequestInit]: undici.RequestInit[Member] }

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
function membersOf(request: Request | undefined, init: RequestInit | undefined): Own {
  const own: Own = request === undefined ? {} : fromRequest(request)
  if (request !== undefined && request.bodyUsed) throw new TypeError('the body of the Request has been used already')
  if (init === undefined || init === null) return own
  for (const name of initMembers) {
    const value = (init as Record<string, unknown>)[name]
    if (value !== undefined && !(name === 'body' && value === null)) (own as Record<string, unknown>)[name] = value
  }
  return own
}

// What undici would read from a Request of its own class.
function fromRequest(request: Request): Own {
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
function reasonOf(
  error: unknown,
  own: AbortSignal | null | undefined,
  context: Ending | undefined,
  endsWithContext: boolean,
): unknown {
  if (own?.aborted === true) return own.reason
  const cause = error instanceof Error ? error.cause : undefined
  if (cause instanceof Unsent) return cause.thrown
  if (error instanceof Error && cause instanceof UpstreamUnreachableError) return fetchFailed(error, cause)
  if (cause instanceof TokenwellError) return cause
  // A redirect may have made of a change a call that the context does end.
  return context?.aborted === true && (endsWithContext || cause === context.reason) ? context.reason : error
}
