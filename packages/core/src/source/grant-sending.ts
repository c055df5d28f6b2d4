import { TokenEndpointUnreachableError, TokenRequestError, TokenwellError } from '../errors.ts'
import type { Grant, GrantCredentials, GrantRequest, SendingEnd } from '../grants/grant.ts'
import { refusalKind } from '../oauth/error-codes.ts'
import { notPrepared } from '../oauth/token-endpoint.ts'
import { untilAborted } from '../until-aborted.ts'
import type { CredentialTrail } from './credential-trail.ts'
import { isIdentityError } from './failure.ts'

/** What is known of one sending while it is under way. */
export interface Sending {
  /** Something may have reached the server. */
  sent: boolean
  /** The server said yes, perhaps with a refresh token. */
  granted: { readonly refreshToken: string | undefined } | undefined
}

/**
 * Sends once what the grant makes for this request, and tells the grant what came of it before anybody else.
 * While the grant has not been told, and if it says so then, the trail allows no further attempt.
 */
export async function sendForGrant<Result>(
  grant: Grant,
  request: GrantRequest,
  trail: CredentialTrail,
  send: (credentials: GrantCredentials, sending: Sending) => Promise<Result>,
): Promise<Result> {
  const sending: Sending = { sent: false, granted: undefined }
  const credentials = await credentialsOf(grant, request)
  if (credentials.settle === undefined) return send(credentials, sending)
  trail.mayTryAgain = false
  // Not longer than the attempt itself: what it waits for may be a user's function, and others wait for the grant's turn.
  const [result] = await Promise.allSettled([untilAborted(request.signal, send(credentials, sending))])
  const error = result.status === 'rejected' ? (result.reason as unknown) : undefined
  trail.mayTryAgain = await credentials.settle(endOf(error, sending))
  if (result.status === 'rejected') throw error
  return result.value
}

async function credentialsOf(grant: Grant, request: GrantRequest): Promise<GrantCredentials> {
  try {
    return (await grant.credentials?.(request)) ?? { parameters: [] }
  } catch (error) {
    request.signal.throwIfAborted()
    throw error instanceof TokenwellError ? error : notPrepared(error)
  }
}

// Codes of Node and undici for a connection that was never made. A reset, or a network that is unreachable, may come later.
const notConnected = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'UND_ERR_CONNECT_TIMEOUT'])

function endOf(error: unknown, { sent, granted }: Sending): SendingEnd {
  if (granted !== undefined) return { outcome: 'granted', ...granted }
  if (!sent) return { outcome: 'unsent' }
  if (error instanceof TokenEndpointUnreachableError) {
    const { code } = (error.cause ?? {}) as { readonly code?: unknown }
    const reached = !(typeof code === 'string' && (notConnected.has(code) || isIdentityError(code)))
    return { outcome: reached ? 'unknown' : 'unsent' }
  }
  if (!(error instanceof TokenRequestError) || error.tokenEndpointStatus === undefined) return { outcome: 'unknown' }
  return { outcome: isRefusal(error, error.tokenEndpointStatus) ? 'refused' : 'unknown', error: error.error }
}

// What says that the server is in trouble does not say that it did nothing; what says "not now" does.
function isRefusal({ error }: TokenRequestError, status: number): boolean {
  if (refusalKind(error, status) !== 'transient') return true
  return error === 'temporarily_unavailable' || status === 408 || status === 429
}
