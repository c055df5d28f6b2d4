import { OriginNotAllowedError, PathNotAllowedError } from '../errors.ts'

/** Where a call goes, as undici wants it. */
export interface Target {
  readonly origin: string
  /** Path and query. */
  readonly path: string
}

/** Turns what a caller wrote into a target that is inside the upstream. */
export interface TargetResolver {
  readonly origins: ReadonlySet<string>
  readonly resolve: (input: string | URL) => Target
}

// Anything that needs a second look: what is not visible ASCII, encodings, backslashes, fragments, dot segments, empty
// segments. Schemes apart: each call asks, and together they take half as long again.
const needsCare = /[^!-~]|[%\\#]|\.\.|\/\//
const absolute = /^[A-Za-z][A-Za-z0-9+.-]*:/
const dotSegment = /(?:^|[/\\;])\.\.(?:$|[/\\;?#])/

/**
 * Paths are appended to `baseUrl` and stay below it; an absolute URL must be of one of the `origins`.
 * `resolve` throws a `PathNotAllowedError` or an `OriginNotAllowedError`.
 */
export function createTargetResolver(
  baseUrl: URL,
  origins: readonly string[],
  upstream: string | undefined,
): TargetResolver {
  const allowed = new Set(origins)
  const base = baseUrl.pathname.replace(/\/+$/, '')
  const origin = baseUrl.origin

  function refusePath(reason: string): never {
    throw new PathNotAllowedError('the path leaves its base URL', { upstream, cause: new Error(reason) })
  }

  function resolveAbsolute(text: string): Target {
    if (!URL.canParse(text)) refusePath('the URL cannot be parsed')
    const url = new URL(text)
    if (!allowed.has(url.origin) || url.username !== '' || url.password !== '') {
      throw new OriginNotAllowedError('the origin of the call is not one of its own', {
        upstream,
        cause: new Error(
          `${url.origin} is not among ${[...allowed].join(', ')}; add it to origins if it may get the token`,
        ),
      })
    }
    return { origin: url.origin, path: url.pathname + url.search }
  }

  function resolveCarefully(text: string): Target {
    const isAbsolute = absolute.test(text)
    const path = text.split(/[?#]/, 1)[0] ?? ''
    // A URL parser drops tabs and line ends, so that `.<tab>.` would turn into a dot segment behind our back.
    if (/[\p{Cc}\\]/u.test(path) || text !== text.trim())
      refusePath('a backslash, a control character or outer white space')
    const decoded = decodeFully(path)
    if (dotSegment.test(decoded) || /\p{Cc}/u.test(decoded)) refusePath('a dot segment or a control character, encoded')
    if (isAbsolute) return resolveAbsolute(text)
    if (path.startsWith('//')) refusePath('a path that starts with two slashes names a host')
    const url = new URL(origin + join(base, text))
    if (url.origin !== origin || !isBelow(url.pathname, base)) refusePath('it is outside of the base URL')
    return { origin, path: url.pathname + url.search }
  }

  return Object.freeze({
    origins: allowed,
    resolve(input: string | URL): Target {
      if (typeof input === 'string')
        return isPlain(input) ? { origin, path: join(base, input) } : resolveCarefully(input)
      if (input instanceof URL) return resolveAbsolute(input.href)
      throw new TypeError('expected a path, or an absolute URL as a string or URL')
    },
  })
}

/** Is the origin of a dispatch one of these? As undici has it, it may be unset, a URL, or spelled in some other way. */
export function isAmong(origins: ReadonlySet<string>, origin: string | URL | undefined): boolean {
  if (typeof origin === 'string')
    return origins.has(origin) || (URL.canParse(origin) && origins.has(new URL(origin).origin))
  return origin !== undefined && origins.has(origin.origin)
}

function isPlain(path: string): boolean {
  return !needsCare.test(path) && (path.startsWith('/') || !absolute.test(path))
}

function join(base: string, path: string): string {
  if (path === '') return base === '' ? '/' : base
  const first = path.charCodeAt(0)
  // '/' or '?'
  if (first === 47) return base + path
  if (first === 63) return `${base === '' ? '/' : base}${path}`
  return `${base}/${path}`
}

function isBelow(pathname: string, base: string): boolean {
  return base === '' || pathname === base || pathname.startsWith(`${base}/`)
}

// Servers and proxies differ in how often they decode, so what any number of rounds would reveal counts. Each round makes
// the text shorter.
function decodeFully(path: string): string {
  let decoded = path
  for (let before = ''; before !== decoded;) {
    before = decoded
    decoded = decoded.replace(/%(2e|2f|5c|3b|25|[01][0-9a-f]|7f)/gi, (_, code: string) =>
      String.fromCharCode(Number.parseInt(code, 16)),
    )
  }
  return decoded
}
