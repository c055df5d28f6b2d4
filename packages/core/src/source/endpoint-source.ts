import { randomBytes } from 'node:crypto'
import type { Clock } from '../clock.ts'
import { TokenRequestTrace } from '../diagnostics/token-request-events.ts'
import { TokenResponseError } from '../errors.ts'
import { formParameters } from '../grants/form-parameters.ts'
import type { Grant, GrantRequest } from '../grants/grant.ts'
import { createAccessToken } from '../oauth/access-token.ts'
import type { ClientAuth, ClientAuthAttempt, CredentialUsed } from '../oauth/client-auth.ts'
import type { HttpExchange } from '../oauth/http-exchange.ts'
import type { ServerMetadata } from '../oauth/server-metadata.ts'
import { requestToken, withProofs, type TokenRequestProofs } from '../oauth/token-endpoint.ts'
import { sendForGrant, type Sending } from './grant-sending.ts'
import { ageMs, planLifetime, withEnd, type RenewalOptions } from './lifetime.ts'
import type { IssuedToken, TokenAttempt, TokenPlan } from './token-plan.ts'

/** What an endpoint source asks with. */
export interface EndpointSourceOptions {
  readonly upstream: string | undefined
  readonly clientId: string
  readonly clientAuth: ClientAuth
  readonly grant: Grant
  readonly renewal: RenewalOptions
  readonly clock: Clock
  readonly random: () => number
  readonly exchange: HttpExchange
  metadata(signal: AbortSignal): Promise<ServerMetadata>
  /** For tokens that are bound to a key. */
  readonly proofs: TokenRequestProofs | undefined
  /** The key of a token that was got with this certificate. */
  keyWith(thumbprint: string, plan: TokenPlan): string
}

/** Asks the authorization server for a token, each time it is called: again if the credential was refused and has changed. */
export function createEndpointSource(options: EndpointSourceOptions) {
  return (plan: TokenPlan, attempt: TokenAttempt): Promise<IssuedToken> =>
    attempt.trail.attempt(attempt.signal, (one, onCredential) => issue(options, plan, attempt, one, onCredential))
}

async function issue(
  options: EndpointSourceOptions,
  plan: TokenPlan,
  { trail, tokenAtHand }: TokenAttempt,
  attempt: ClientAuthAttempt,
  onCredential: (used: CredentialUsed) => void,
): Promise<IssuedToken> {
  const { clientId, clientAuth, grant, proofs, renewal, clock, random } = options
  const server = await options.metadata(attempt.signal)
  let start = { wall: clock.now(), monotonic: clock.monotonic() }
  let certificate: CredentialUsed['certificate']
  const request: GrantRequest = {
    issuer: server.issuer === server.token_endpoint ? undefined : server.issuer,
    tokenEndpoint: server.token_endpoint,
    clientId,
    attempt: attempt.number,
    signal: attempt.signal,
    context: plan.context,
    parameters: plan.parameters,
    tokenAtHand,
  }
  let sending: Sending | undefined
  let endsAt: number | undefined
  let about = { upstream: options.upstream, grantType: grant.type }
  const trace = new TokenRequestTrace()
  const exchange: HttpExchange = (message) => {
    // A token's life is counted from when it was asked for: it began at some moment after that.
    start = { wall: clock.now(), monotonic: clock.monotonic() }
    certificate = message.certificate
    if (sending !== undefined) sending.sent = true
    return trace.send({ ...about, url: message.url }, () => options.exchange(message))
  }
  const answer = await withProofs(proofs, exchange, (proving) =>
    sendForGrant(grant, request, trail, (credentials, current) => {
      sending = current
      endsAt = credentials.endsAt
      const grantType = credentials.type ?? grant.type
      about = { ...about, grantType }
      const parameters = [...credentials.parameters, ...formParameters(plan.parameters)]
      const onGranted = (refreshToken: string | undefined) => (current.granted = { refreshToken })
      const now = () => clock.now()
      const asked = { server, clientId, clientAuth, grantType, parameters, attempt, onCredential, onGranted, now }
      return trace.follow(requestToken(asked, proving))
    }),
  )
  // RFC 6749 §7.1: a client must not use a token whose type it does not understand. One that anybody may use who sees it is
  // not what was asked for with a proof (RFC 9449 §5).
  const expected = proofs === undefined ? 'Bearer' : 'DPoP'
  if (answer.tokenType.toLowerCase() !== expected.toLowerCase()) {
    throw new TokenResponseError("the authorization server's answer holds no usable access token", {
      cause: new Error(`token_type is not ${expected}`),
      retryable: false,
    })
  }
  const planned = planLifetime(start, answer, renewal, random)
  if (planned !== undefined && ageMs(planned, clock.now(), clock.monotonic()) >= planned.lifetimeMs) {
    throw new TokenResponseError("the authorization server's answer holds no usable access token", {
      cause: new Error('the token had expired by the time it came'),
    })
  }
  const lifetime = planned === undefined || endsAt === undefined ? planned : withEnd(planned, endsAt)
  const token = createAccessToken({
    value: answer.accessToken,
    tokenType: answer.tokenType,
    expiresAt: start.wall + (lifetime?.lifetimeMs ?? 0),
    scope: answer.scope ?? (plan.parameters.scope.length > 0 ? plan.parameters.scope.join(' ') : undefined),
    // Kept as long as the token: the text of a UUID is fifteen strings until somebody reads it, and half a kilobyte.
    generation: randomBytes(16).toString('base64url'),
  })
  return { token, lifetime, key: certificate === undefined ? plan.key : options.keyWith(certificate.thumbprint, plan) }
}
