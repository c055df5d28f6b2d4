import type { IncomingMessage } from 'node:http'

import { clientCertificate, thumbprintOf } from '../certificates/issued-certificate.ts'
import type { ProofChecker } from './check-proof.ts'
import type { PresentedToken } from './presented-token.ts'
import { boundTokenAsBearer, refuse, withoutToken, type Refusal } from './refusal.ts'
import type { TokenClaims, TokenVerifier } from './verify-token.ts'

/** What becomes of a request: what its token says, or the refusal to answer with. */
export type Admission = { readonly status: 200; readonly claims: TokenClaims } | Refusal

/** What an API asks of a request. */
export interface Policy {
  readonly verify: TokenVerifier
  readonly checkProof: ProofChecker
  /** Several with spaces between, or a function of the path. */
  readonly requiredScope: string | ((path: string) => string | undefined) | undefined
}

/**
 * Decides by the token and, if it is bound, by the proof or the certificate: RFC 6750 §3.1, RFC 9449 §7 and RFC 8705 §3.
 * Rejects if the token cannot be checked.
 */
export async function admit(request: IncomingMessage, presented: PresentedToken, policy: Policy): Promise<Admission> {
  const { scheme, token } = presented
  if (scheme === undefined) return withoutToken
  if (token === undefined) return refuse(scheme, 400, 'invalid_request')

  const proof = scheme === 'DPoP' ? await policy.checkProof(request, token) : undefined
  if (proof !== undefined && 'error' in proof) return refuse('DPoP', 401, proof.error)

  const claims = await policy.verify(token)
  if (claims === undefined) return refuse(scheme, 401, 'invalid_token')
  if (scheme === 'Bearer' && claims.jkt !== undefined) return boundTokenAsBearer
  if (claims.jkt !== proof?.jkt) return refuse(scheme, 401, 'invalid_token')
  if (claims.certificateThumbprint !== undefined) {
    const certificate = clientCertificate(request.socket)
    const shown = certificate && thumbprintOf(certificate)
    if (shown !== claims.certificateThumbprint) return refuse(scheme, 401, 'invalid_token')
  }

  const required =
    typeof policy.requiredScope === 'function' ? policy.requiredScope(request.url ?? '') : policy.requiredScope
  const granted = new Set(claims.scope?.split(' '))
  const missing = required?.split(' ').some((scope) => !granted.has(scope)) ?? false
  return missing ? refuse(scheme, 403, 'insufficient_scope', required) : { status: 200, claims }
}
