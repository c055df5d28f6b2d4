import { TokenRequestError } from '../errors.ts'
import { accessParameters, type AccessOptions } from './access-options.ts'
import type { Grant, GrantCredentials, GrantRequest, SendingEnd } from './grant.ts'
import { RefreshTokenChain, type OnRotated } from './refresh-token-chain.ts'
import { subjectByToken } from './subject.ts'
import { Turns } from './turns.ts'

/** Options of {@link authorizationCode}. */
export interface AuthorizationCodeOptions extends Omit<AccessOptions, 'scope'> {
  /** The code that came back with the user. */
  readonly code: string
  /** As in the authorization request; left out if that had none. */
  readonly redirectUri?: string | undefined
  /** Of which the authorization request had the challenge (RFC 7636 §4.1): 43 to 128 letters, digits and `-._~`. */
  readonly codeVerifier?: string | undefined
  /** Called with the refresh token that comes with the access token, and with each one that takes its place, as for `refreshToken`. */
  readonly onRotated?: OnRotated | undefined
}

/**
 * The authorization code grant (RFC 6749 §4.1.3), for a code that the service has already. It is redeemed with the first token
 * request, which should come soon: a code lives for minutes (RFC 6749 §4.1.2). The refresh token that comes with it, if one
 * does, gets the tokens after that, by the rules of `refreshToken`.
 *
 * A code is good once and sent once, but for a DPoP nonce that the server asks for: whatever its request comes to, unless the
 * server was not reached, later ones fail with `invalid_grant` before anything is sent, if there is no refresh token.
 *
 * Throws a `TypeError` for a wrong option.
 */
export function authorizationCode(options: AuthorizationCodeOptions): Grant {
  const { code, redirectUri, codeVerifier, onRotated, resource, audience, authorizationDetails, parameters } = options
  checkText('code', code)
  if (redirectUri !== undefined) checkText('redirectUri', redirectUri)
  if (codeVerifier !== undefined && !(typeof codeVerifier === 'string' && /^[\w.~-]{43,128}$/.test(codeVerifier))) {
    throw new TypeError('authorizationCode: codeVerifier: expected 43 to 128 letters, digits and -._~')
  }
  if (onRotated !== undefined && typeof onRotated !== 'function') {
    throw new TypeError('authorizationCode: onRotated: expected a function')
  }
  const turns = new Turns()
  const chain = new RefreshTokenChain({
    option: 'authorizationCode: code',
    subject: undefined,
    onRotated,
    read: async () => undefined,
  })
  const form: GrantCredentials['parameters'] = [
    ['code', code],
    ...(redirectUri === undefined ? [] : [['redirect_uri', redirectUri] as const]),
    ...(codeVerifier === undefined ? [] : [['code_verifier', codeVerifier] as const]),
  ]
  let state: 'good' | 'redeemed' | 'used up' = 'good'
  let why = ''
  const redeem = async ({ signal }: GrantRequest): Promise<GrantCredentials> => ({
    parameters: form,
    settle: async (end) => {
      const { outcome, error, refreshToken } = end
      // RFC 9449 §8: the request is to be made again, and was not acted on.
      if (outcome === 'unsent' || (outcome === 'refused' && error === 'use_dpop_nonce')) return true
      state = refreshToken === undefined ? 'used up' : 'redeemed'
      why = endOf(end)
      if (refreshToken !== undefined) await chain.add(refreshToken, signal)
      return refreshToken !== undefined
    },
  })
  const credentials = async (request: GrantRequest): Promise<GrantCredentials> => {
    if (state === 'good') return redeem(request)
    if (state === 'redeemed') return chain.credentials(request)
    throw new TokenRequestError('this service could not prepare its token request', {
      error: 'invalid_grant',
      cause: new TypeError(`authorizationCode: code: was sent before, ${why}`),
    })
  }
  return Object.freeze({
    type: 'authorization_code',
    ...accessParameters({ resource, audience, authorizationDetails, parameters }, subjectByToken(code)),
    credentials: (request: GrantRequest) => turns.take(request.signal, () => credentials(request)),
  })
}

function endOf({ outcome, error = 'without an error code' }: SendingEnd): string {
  if (outcome === 'granted') return 'and brought no refresh token'
  return outcome === 'refused' ? `and was refused: ${error}` : 'and its answer was lost'
}

function checkText(option: string, value: unknown): void {
  if (typeof value === 'string' && value.length > 0) return
  throw new TypeError(`authorizationCode: ${option}: expected a non-empty string`)
}
