import type { TokenVerifier } from './verify-token.ts'

/** What becomes of a request: the token's claims, or the refusal to answer with. */
export type Admission =
  | { readonly status: 200; readonly clientId?: string; readonly scope?: string }
  | { readonly status: 400 | 401 | 403; readonly error?: string; readonly challenge: string }

/** The token of an Authorization header: absent, present, or present and malformed. */
export type PresentedToken = { readonly token?: string; readonly malformed?: true }

/** Reads `Bearer` credentials, RFC 6750 §2.1. Another scheme counts as no token. */
export function presentedToken(authorization: string | undefined): PresentedToken {
  const [, scheme, rest] = /^([^ ]+)(?: +(.*))?$/.exec(authorization ?? '') ?? []
  if (scheme?.toLowerCase() !== 'bearer') return {}
  if (rest === undefined || !/^[A-Za-z0-9._~+/-]+=*$/.test(rest)) return { malformed: true }
  return { token: rest }
}

/** Decides by the token, answering as RFC 6750 §3 and §3.1 say. Rejects if the token cannot be checked. */
export async function admit(
  presented: PresentedToken,
  verify: TokenVerifier,
  requiredScope: string | undefined,
): Promise<Admission> {
  if (presented.malformed) return refuse(400, 'invalid_request')
  // §3.1: a request without credentials is told the scheme and no error.
  if (presented.token === undefined) return { status: 401, challenge: challenge() }

  const claims = await verify(presented.token)
  if (claims === undefined) return refuse(401, 'invalid_token')

  const granted = new Set(claims.scope?.split(' '))
  const missing = requiredScope?.split(' ').some((scope) => !granted.has(scope)) ?? false
  return missing ? refuse(403, 'insufficient_scope', requiredScope) : { status: 200, ...claims }
}

function refuse(status: 400 | 401 | 403, error: string, scope?: string): Admission {
  return { status, error, challenge: challenge({ error, ...(scope === undefined ? {} : { scope }) }) }
}

function challenge(parameters: Readonly<Record<string, string>> = {}): string {
  const pairs = Object.entries({ realm: 'protected-api', ...parameters })
  return `Bearer ${pairs.map(([name, value]) => `${name}="${value}"`).join(', ')}`
}
