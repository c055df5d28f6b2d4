import {
  ServerMetadataError,
  TokenEndpointUnreachableError,
  TokenRequestError,
  TokenResponseError,
  type TokenwellError,
} from '../errors.ts'
import { refusalKind } from '../oauth/error-codes.ts'

/**
 * What a failed token request says about the next one. `transient`: it may go well in a moment. `credential`: whatever
 * this client asks for will be refused. `request`: this very request will be refused. `local`: nobody was asked.
 */
export type FailureKind = 'transient' | 'credential' | 'request' | 'local'

// Node's and OpenSSL's codes for a certificate that is not to be trusted: it will not change within seconds.
const identityErrors = /^(?:CERT_|ERR_TLS_CERT|DEPTH_ZERO_SELF_SIGNED|SELF_SIGNED|UNABLE_TO_(?:GET_ISSUER|VERIFY_LEAF))/

/** Says this code that the server's certificate is not to be trusted? Then nothing was sent. */
export function isIdentityError(code: string): boolean {
  return identityErrors.test(code)
}

/**
 * Classes a failure; `ofOne` if it was asked for one of many subjects. A 401 without an error that OAuth defines may then be about the
 * subject as well as about the client. It counts as the former, or one caller with a bad token would stand in the way of all others.
 */
export function failureKind(error: unknown, ofOne = false): FailureKind {
  if (error instanceof TokenRequestError) {
    const { error: code, tokenEndpointStatus: status } = error
    if (status === undefined) return 'local'
    const kind = refusalKind(code, status)
    return ofOne && kind === 'credential' && code !== 'invalid_client' && code !== 'unauthorized_client'
      ? 'request'
      : kind
  }
  if (error instanceof TokenEndpointUnreachableError) return 'transient'
  if (error instanceof TokenResponseError) return error.retryable ? 'transient' : 'request'
  if (error instanceof ServerMetadataError) return error.statusCode === 503 ? 'transient' : 'request'
  return 'local'
}

/** Is it worth asking again within the same call? */
export function isRetryable(error: unknown): error is TokenwellError {
  if (failureKind(error) !== 'transient') return false
  const cause = (error as Error).cause as { readonly code?: unknown } | undefined
  return !(typeof cause?.code === 'string' && isIdentityError(cause.code))
}
