import {
  ServerMetadataError,
  TokenEndpointUnreachableError,
  TokenRequestError,
  TokenResponseError,
  type TokenwellError,
} from '../errors.ts'

/**
 * What a failed token request says about the next one. `transient`: it may go well in a moment. `credential`: whatever
 * this client asks for will be refused. `request`: this very request will be refused. `local`: nobody was asked.
 */
export type FailureKind = 'transient' | 'credential' | 'request' | 'local'

// RFC 6749 §5.2.
const credentialErrors = new Set(['invalid_client', 'unauthorized_client'])
// RFC 6749 §4.1.2.1; token endpoints send them too.
const transientErrors = new Set(['server_error', 'temporarily_unavailable', 'slow_down'])

// Node's and OpenSSL's codes for a certificate that is not to be trusted: it will not change within seconds.
const identityErrors = /^(?:CERT_|ERR_TLS_CERT|DEPTH_ZERO_SELF_SIGNED|SELF_SIGNED|UNABLE_TO_(?:GET_ISSUER|VERIFY_LEAF))/

/** Classes a failure by what the server said first, and by its status second. */
export function failureKind(error: unknown): FailureKind {
  if (error instanceof TokenRequestError) return kindOfRefusal(error)
  if (error instanceof TokenEndpointUnreachableError) return 'transient'
  if (error instanceof TokenResponseError) return error.retryable ? 'transient' : 'request'
  if (error instanceof ServerMetadataError) return error.statusCode === 503 ? 'transient' : 'request'
  return 'local'
}

/** Is it worth asking again within the same call? */
export function isRetryable(error: unknown): error is TokenwellError {
  if (failureKind(error) !== 'transient') return false
  const cause = (error as Error).cause as { readonly code?: unknown } | undefined
  return !(typeof cause?.code === 'string' && identityErrors.test(cause.code))
}

function kindOfRefusal({ error, tokenEndpointStatus: status }: TokenRequestError): FailureKind {
  if (status === undefined) return 'local'
  if (error !== undefined) {
    if (credentialErrors.has(error)) return 'credential'
    return transientErrors.has(error) ? 'transient' : 'request'
  }
  if (status === 408 || status === 429 || status >= 500) return 'transient'
  return status === 401 ? 'credential' : 'request'
}
