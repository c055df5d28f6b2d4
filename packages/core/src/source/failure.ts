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

/** Classes a failure. */
export function failureKind(error: unknown): FailureKind {
  if (error instanceof TokenRequestError) {
    const { error: code, tokenEndpointStatus: status } = error
    return status === undefined ? 'local' : refusalKind(code, status)
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
