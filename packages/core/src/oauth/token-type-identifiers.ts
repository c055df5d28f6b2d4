// RFC 8693 §3.
const prefix = 'urn:ietf:params:oauth:token-type:'

/** An access token. */
export const accessToken = `${prefix}access_token`

const others = new Set(['refresh_token', 'id_token', 'saml1', 'saml2'].map((name) => prefix + name))

/** Is this a type of token that is shown to no API? Types that RFC 8693 does not define may be anything. */
export function isNoAccessToken(identifier: string): boolean {
  return others.has(identifier)
}

/** Why what a token endpoint gave is no access token, though it is called so (RFC 8693 §2.2.1); undefined if nothing says so. */
export function whyNoAccessToken(answer: Readonly<Record<string, unknown>>): string | undefined {
  const { token_type: tokenType, issued_token_type: issued } = answer
  if (typeof tokenType === 'string' && tokenType.toLowerCase() === 'n_a') {
    return 'token_type is N_A: what was issued is no access token'
  }
  if (typeof issued !== 'string' || !isNoAccessToken(issued)) return undefined
  return `issued_token_type is ${issued}: what was issued is no access token`
}
