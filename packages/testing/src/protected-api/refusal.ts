import { keyAlgorithms } from '../jwt/key-algorithms.ts'
import type { TokenScheme } from './presented-token.ts'

/** What a request is refused with. */
export interface Refusal {
  readonly status: 400 | 401 | 403
  /** Error code of RFC 6750 §3.1 or RFC 9449 §12.2. Missing if the request had no token. */
  readonly error?: string
  /** The value of `WWW-Authenticate`. */
  readonly challenge: string
}

/** Refuses in the scheme that was used. `scope` is the one that would have done. */
export function refuse(scheme: TokenScheme, status: Refusal['status'], error: string, scope?: string): Refusal {
  return { status, error, challenge: challenge(scheme, { error, ...(scope === undefined ? {} : { scope }) }) }
}

/** RFC 6750 §3.1: a request without credentials is told the scheme and no error. */
export const withoutToken: Refusal = { status: 401, challenge: challenge('Bearer') }

/** RFC 9449 §7.2: a bound token is no bearer token. The second challenge says how it would be taken. */
export const boundTokenAsBearer: Refusal = {
  status: 401,
  error: 'invalid_token',
  challenge: `${challenge('Bearer', { error: 'invalid_token' })}, ${challenge('DPoP')}`,
}

function challenge(scheme: TokenScheme, parameters: Readonly<Record<string, string>> = {}): string {
  const algs = scheme === 'DPoP' ? { algs: keyAlgorithms.join(' ') } : {}
  const pairs = Object.entries({ realm: 'protected-api', ...parameters, ...algs })
  return `${scheme} ${pairs.map(([name, value]) => `${name}="${value}"`).join(', ')}`
}
