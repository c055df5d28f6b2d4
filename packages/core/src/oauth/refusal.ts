import { otherType } from '../diagnostics/error-type.ts'
import { redactText } from '../diagnostics/redact.ts'
import type { AccessToken } from './access-token.ts'
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

const known: ReadonlySet<string> = new Set(['invalid_token', ...notTheToken])

/** What a refusal says of its reason, in words that may be shown to anybody: an API might repeat the token. */
export function reasonOf(
  wwwAuthenticate: string | readonly string[] | undefined,
  { tokenType, value }: Pick<AccessToken, 'tokenType' | 'value'>,
): { challenge: string | undefined; scope: string | undefined } {
  const scheme = tokenType.toLowerCase()
  const named = parseChallenges(wwwAuthenticate).find(
    (challenge) => challenge.scheme === scheme && challenge.parameters.has('error'),
  )
  const error = named?.parameters.get('error')
  const scope = named?.parameters.get('scope')
  return {
    challenge: error === undefined ? undefined : known.has(error) ? error : otherType,
    scope: scope === undefined ? undefined : redactText(scope, [value]),
  }
}

/** Does this 401 ask for a DPoP proof with the nonce that comes with it (RFC 9449 §9)? */
export function wantsNonce(wwwAuthenticate: string | readonly string[] | undefined): boolean {
  return parseChallenges(wwwAuthenticate).some(
    ({ scheme, parameters }) => scheme === 'dpop' && parameters.get('error') === 'use_dpop_nonce',
  )
}
