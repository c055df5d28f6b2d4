/** Set by this package or by undici, or a credential of somebody else's. */
const reserved = /^(?:authorization|proxy-authorization|cookie|dpop|host|connection|content-length|transfer-encoding)$/i
// RFC 9110 §5.1, §5.5.
const nameSyntax = /^[!#$%&'*+\-.^_`|~\w]+$/
const valueSyntax = /^[\t\x20-\x7e\x80-\xff]*$/

/** A text that HTTP allows as the name of a header. */
export function isHeaderName(name: string): boolean {
  return nameSyntax.test(name)
}

/** A text that HTTP allows as the value of a header. */
export function isHeaderValue(value: unknown): value is string {
  return typeof value === 'string' && valueSyntax.test(value)
}

/**
 * Headers to send with calls, as a frozen copy with names in lower case.
 * Throws a `TypeError` that names the header, never its value, for one that may not be set or that HTTP does not allow.
 */
export function checkHeaders(
  headers: Readonly<Record<string, string>>,
  path: string,
): Readonly<Record<string, string>> {
  if (typeof headers !== 'object' || headers === null) throw new TypeError(`${path}: expected an object of strings`)
  const checked: Record<string, string> = {}
  for (const [name, value] of Object.entries(headers)) {
    if (!isHeaderName(name)) throw new TypeError(`${path}: expected header names as RFC 9110 allows them`)
    if (reserved.test(name)) throw new TypeError(`${path}.${name}: may not be set here`)
    if (!isHeaderValue(value)) {
      throw new TypeError(`${path}.${name}: expected a string of visible characters`)
    }
    checked[name.toLowerCase()] = value
  }
  return Object.freeze(checked)
}
