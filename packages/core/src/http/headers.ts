import type { Dispatcher } from 'undici'

type HeadersInput = Dispatcher.DispatchOptions['headers']
type Headers = NonNullable<HeadersInput>

/** Is this header among those of a call, in whichever of undici's forms they are? */
export function hasHeader(headers: HeadersInput, name: string): boolean {
  if (headers === null || headers === undefined) return false
  if (Array.isArray(headers)) {
    for (let index = 0; index < headers.length; index += 2) {
      if (isNamed(headers[index], name)) return true
    }
    return false
  }
  if (isIterable(headers)) {
    for (const [field] of headers) if (isNamed(field, name)) return true
    return false
  }
  for (const field in headers) {
    if (isNamed(field, name) && headers[field] !== undefined) return true
  }
  return false
}

/** The same request with headers that can be read more than once: an iterator is empty after the first time. */
export function withReusableHeaders(request: Dispatcher.DispatchOptions): Dispatcher.DispatchOptions {
  const { headers } = request
  if (headers === null || headers === undefined || Array.isArray(headers) || !isIterable(headers)) return request
  return { ...request, headers: [...headers].flat() as string[] }
}

/** A copy of the headers with one more. What the caller gave is not touched. */
export function withHeader(headers: Headers, name: string, value: string): Headers {
  if (Array.isArray(headers)) return [...headers, name, value]
  // An array of pairs would be read as names and values in turn, so that is what it becomes.
  if (isIterable(headers)) return [...[...headers].flat(), name, value] as string[]
  return { ...headers, [name]: value }
}

/** A copy of the headers with this one in the place of any of that name. */
export function withOnlyHeader(headers: HeadersInput, name: string, value: string): HeadersInput {
  const pairs = headers === null || headers === undefined ? [] : pairsOf(headers)
  return [...pairs.filter(([field]) => !isNamed(field, name)).flat(), name, value] as string[]
}

function pairsOf(headers: Headers): [string, unknown][] {
  if (Array.isArray(headers)) {
    return headers.flatMap((field, index) =>
      index % 2 === 0 ? [[field, headers[index + 1]] as [string, unknown]] : [],
    )
  }
  return isIterable(headers) ? [...headers] : Object.entries(headers)
}

/** Names in lower case. */
export type DefaultHeaders = Readonly<Record<string, string>>

/** The headers with those of `defaults` that they do not have. What the caller gave is not touched. */
export function withDefaults(headers: HeadersInput, defaults: DefaultHeaders): Headers {
  if (headers === null || headers === undefined) return defaults
  let all = headers
  for (const [name, value] of Object.entries(defaults)) {
    if (!hasHeader(headers, name)) all = withHeader(all, name, value)
  }
  return all
}

/**
 * The option that has undici's redirect interceptor, where a dispatcher that was given has it, leave these headers behind when it
 * goes to another origin, as it does with Authorization by itself.
 */
export function strippedOnRedirect(
  request: Dispatcher.DispatchOptions,
  names: readonly string[],
): { readonly stripHeadersOnCrossOriginRedirect: readonly string[] } {
  const { stripHeadersOnCrossOriginRedirect: given = [] } = request as { stripHeadersOnCrossOriginRedirect?: string[] }
  return { stripHeadersOnCrossOriginRedirect: [...given, ...names] }
}

function isNamed(field: unknown, name: string): boolean {
  return typeof field === 'string' && field.length === name.length && field.toLowerCase() === name
}

function isIterable(headers: object): headers is Iterable<[string, string | string[] | undefined]> {
  return Symbol.iterator in headers
}
