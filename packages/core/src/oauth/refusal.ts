import { parseChallenges } from './challenge.ts'

// RFC 6750 §3.1, RFC 9449 §7.1, RFC 9470 §3: another token of the same kind would be refused alike.
const notTheToken = new Set([
  'insufficient_scope',
  'insufficient_claims',
  'insufficient_user_authentication',
  'invalid_dpop_proof',
  'invalid_request',
  'use_dpop_nonce',
])

/**
 * Does this 401 say that the token is no longer good, so that another one may be accepted? It does when a challenge of the
 * scheme that was used says `invalid_token`, or when none of that scheme gives an error at all (RFC 6750 §3.1).
 */
export function refusesToken(wwwAuthenticate: string | readonly string[] | undefined, tokenType: string): boolean {
  const scheme = tokenType.toLowerCase()
  const errors = parseChallenges(wwwAuthenticate)
    .filter((challenge) => challenge.scheme === scheme)
    .map(({ parameters }) => parameters.get('error'))
  return !errors.some((error) => error !== undefined && notTheToken.has(error))
}

/** Does this 401 ask for a DPoP proof with the nonce that comes with it (RFC 9449 §9)? */
export function wantsNonce(wwwAuthenticate: string | readonly string[] | undefined): boolean {
  return parseChallenges(wwwAuthenticate).some(
    ({ scheme, parameters }) => scheme === 'dpop' && parameters.get('error') === 'use_dpop_nonce',
  )
}
