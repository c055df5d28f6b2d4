/** What a JWT says, without its signature: good for telling, not for showing. Nothing about it is checked. */
export interface DecodedJwt {
  readonly header: Readonly<Record<string, unknown>>
  readonly claims: Readonly<Record<string, unknown>>
}

/** Reads a JWT; what is not readable becomes an empty object. */
export function decodeUnchecked(jwt: string): DecodedJwt {
  const [header, claims] = jwt.split('.')
  return { header: jsonObject(header), claims: jsonObject(claims) }
}

function jsonObject(part = ''): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString('utf8'))
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}
