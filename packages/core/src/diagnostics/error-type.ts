import { TokenRequestError, TokenwellError } from '../errors.ts'

/** Error codes that OAuth defines for the token endpoint: RFC 6749 §5.2, RFC 8707 §2, RFC 9396 §5, RFC 9449 §5 and §8, and others' own. */
export type OAuthErrorCode = (typeof oauthErrorCodes)[number]

const oauthErrorCodes = [
  'invalid_client',
  'unauthorized_client',
  'invalid_request',
  'invalid_grant',
  'invalid_scope',
  'invalid_target',
  'invalid_authorization_details',
  'invalid_dpop_proof',
  'use_dpop_nonce',
  'unsupported_grant_type',
  'access_denied',
  'invalid_token',
  'server_error',
  'temporarily_unavailable',
] as const
const known: ReadonlySet<unknown> = new Set(oauthErrorCodes)

/** What OpenTelemetry's conventions have for anything else. */
export const otherType = '_OTHER'

/**
 * What went wrong, as one of a few words: an OAuth error code, the `code` of a `TokenwellError`, `AbortError` or `TimeoutError` of
 * a caller who gave up, else `_OTHER`. A server's or a caller's own words could be any number, or hold a secret.
 */
export function errorType(error: unknown): string {
  if (error instanceof TokenRequestError && known.has(error.error)) return error.error as OAuthErrorCode
  if (error instanceof TokenwellError) return /^ERR_TOKENWELL_[A-Z_]{1,40}$/.test(error.code) ? error.code : otherType
  const name = error instanceof Error ? error.name : undefined
  return name === 'AbortError' || name === 'TimeoutError' ? name : otherType
}
