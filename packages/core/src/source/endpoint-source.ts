import { randomUUID } from 'node:crypto'
import type { Clock } from '../clock.ts'
import { TokenResponseError } from '../errors.ts'
import { formParameters } from '../grants/form-parameters.ts'
import { createAccessToken } from '../oauth/access-token.ts'
import type { ClientAuth } from '../oauth/client-auth.ts'
import type { HttpExchange } from '../oauth/http-exchange.ts'
import type { ServerMetadata } from '../oauth/server-metadata.ts'
import { requestToken } from '../oauth/token-endpoint.ts'
import type { IssuedToken, TokenPlan } from './caching-source.ts'
import { ageMs, planLifetime, type RenewalOptions } from './lifetime.ts'

/** What an endpoint source asks with. */
export interface EndpointSourceOptions {
  readonly clientId: string
  readonly clientAuth: ClientAuth
  readonly grantType: string
  readonly renewal: RenewalOptions
  readonly clock: Clock
  readonly random: () => number
  readonly exchange: HttpExchange
  metadata(signal: AbortSignal): Promise<ServerMetadata>
}

/** Asks the authorization server for a token, each time it is called. */
export function createEndpointSource(options: EndpointSourceOptions) {
  const { clientId, clientAuth, grantType, renewal, clock, random } = options
  return async (plan: TokenPlan, signal: AbortSignal): Promise<IssuedToken> => {
    const server = await options.metadata(signal)
    let start = { wall: clock.now(), monotonic: clock.monotonic() }
    const exchange: HttpExchange = (message) => {
      // A token's life is counted from when it was asked for: it began at some moment after that.
      start = { wall: clock.now(), monotonic: clock.monotonic() }
      return options.exchange(message)
    }
    const parameters = formParameters(plan.parameters)
    const request = { server, clientId, clientAuth, grantType, parameters, signal, now: () => clock.now() }
    const answer = await requestToken(request, exchange)
    // RFC 6749 §7.1: a client must not use a token whose type it does not understand, and no proof key was offered.
    if (answer.tokenType.toLowerCase() !== 'bearer') {
      throw new TokenResponseError("the authorization server's answer holds no usable access token", {
        cause: new Error('token_type is not Bearer'),
        retryable: false,
      })
    }
    const lifetime = planLifetime(start, answer, renewal, random)
    if (lifetime !== undefined && ageMs(lifetime, clock.now(), clock.monotonic()) >= lifetime.lifetimeMs) {
      throw new TokenResponseError("the authorization server's answer holds no usable access token", {
        cause: new Error('the token had expired by the time it came'),
      })
    }
    const token = createAccessToken({
      value: answer.accessToken,
      tokenType: answer.tokenType,
      expiresAt: start.wall + (lifetime?.lifetimeMs ?? 0),
      scope: answer.scope ?? (plan.parameters.scope.length > 0 ? plan.parameters.scope.join(' ') : undefined),
      generation: randomUUID(),
    })
    return { token, lifetime }
  }
}
