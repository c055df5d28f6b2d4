/** Throws a `TypeError` that names the function, never the value, unless `secret` is a text or a provider of one. */
export function assertSecret(method: string, secret: unknown): void {
  if (typeof secret === 'function' || (typeof secret === 'string' && secret.length > 0)) return
  throw new TypeError(`${method}: secret: expected a non-empty string or a function that gives one`)
}
