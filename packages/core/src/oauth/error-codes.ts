import type { OAuthErrorCode } from '../diagnostics/error-type.ts'

/** What an error answer of the token endpoint is about. */
export type RefusalKind = 'transient' | 'credential' | 'request'

// RFC 6749 §5.2 and §4.1.2.1, RFC 8707 §2, RFC 9396 §5, RFC 9449 §5 and §8: what is defined, and what it is about.
const kinds: Readonly<Record<OAuthErrorCode, RefusalKind>> = {
  invalid_client: 'credential',
  unauthorized_client: 'credential',
  invalid_request: 'request',
  invalid_grant: 'request',
  invalid_scope: 'request',
  invalid_target: 'request',
  invalid_authorization_details: 'request',
  invalid_dpop_proof: 'request',
  use_dpop_nonce: 'request',
  unsupported_grant_type: 'request',
  access_denied: 'request',
  // RFC 6750 §3.1. Here some servers say it of the token that is to be exchanged.
  invalid_token: 'request',
  server_error: 'transient',
  temporarily_unavailable: 'transient',
}

/**
 * Classes an error answer: by its error if that is one that OAuth defines, else by its status, since gateways and servers
 * in trouble have words of their own.
 */
export function refusalKind(error: string | undefined, status: number): RefusalKind {
  const defined = error === undefined || !Object.hasOwn(kinds, error) ? undefined : kinds[error as OAuthErrorCode]
  if (defined !== undefined) return defined
  if (status === 408 || status === 429 || status >= 500) return 'transient'
  return status === 401 ? 'credential' : 'request'
}
