/**
 * When a server wants to be asked again (RFC 9110 §10.2.3: seconds, or a date), in milliseconds since the epoch.
 * Undefined when it does not say, or says something that is no time to come.
 */
export function retryAtOf(headers: Headers, now: number): number | undefined {
  const value = headers.get('retry-after')?.trim() ?? ''
  const at = /^\d{1,9}$/.test(value) ? now + Number(value) * 1000 : Date.parse(value)
  return at > now ? at : undefined
}
