import { isSecureEnough } from './secure-enough.ts'

/** An absolute URL that may be asked. Each check throws a `TypeError` that names the option, never its value. */
export function checkUrl(value: unknown, path: string, allowInsecureRequests: boolean): URL {
  const url = typeof value === 'string' && URL.canParse(value) ? new URL(value) : undefined
  check(url !== undefined && /^https?:$/.test(url.protocol), path, 'expected an absolute https: URL')
  check(url.username === '' && url.password === '', path, 'expected a URL without user name and password')
  check(
    isSecureEnough(url, allowInsecureRequests),
    path,
    'http: is refused but for loopback; use https:, or set allowInsecureRequests',
  )
  return url
}

/** An object with no other members than these. */
export function checkObject(value: unknown, path: string, names: readonly string[]): void {
  check(typeof value === 'object' && value !== null, path, 'expected an object')
  for (const name of Object.keys(value)) {
    if (!names.includes(name))
      throw new TypeError(`${path}.${name}: there is no such option; there are ${names.join(', ')}`)
  }
}

/** Not given, or an object that has these methods. */
export function checkMethods(value: unknown, methods: readonly string[], path: string): void {
  const missing = (method: string) => typeof (value as Record<string, unknown> | null)?.[method] !== 'function'
  check(value === undefined || !methods.some(missing), path, `expected an object with ${methods.join(', ')}`)
}

/** Milliseconds, and at least so many. */
export function checkMs(value: unknown, path: string, least: number): void {
  check(
    typeof value === 'number' && Number.isFinite(value) && value >= least,
    path,
    `expected milliseconds, at least ${least}`,
  )
}

/** True or false, and not a text that looks like it. */
export function checkBoolean(value: unknown, path: string): void {
  check(typeof value === 'boolean', path, 'expected true or false')
}

/** A text that is not empty. */
export function isText(value: unknown): boolean {
  return typeof value === 'string' && value.length > 0
}

/** What `make` makes; a `TypeError` of it is told with the path before it. */
export function inPath<T>(path: string, make: () => T): T {
  try {
    return make()
  } catch (error) {
    throw path === '' || !(error instanceof TypeError) ? error : new TypeError(`${path}.${error.message}`)
  }
}

/** Throws unless the condition holds. */
export function check(condition: boolean, path: string, expected: string): asserts condition {
  if (!condition) throw new TypeError(`${path}: ${expected}`)
}
