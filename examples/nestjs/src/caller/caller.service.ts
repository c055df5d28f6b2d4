import { Injectable } from '@nestjs/common'
import { createRemoteJWKSet, errors, jwtVerify, type JWTPayload } from 'jose'
import { Config } from '../config.ts'
import { bearerToken } from './bearer-token.ts'
import { CallerException } from './caller.exception.ts'

/** Who calls this service, by an access token that was checked. */
export interface Caller {
  readonly subject: string
}

/** Checks access tokens as RFC 9068 §4 says: of this issuer, meant for this service, still good, and with a scope. */
@Injectable()
export class CallerService {
  readonly #config: Config['callers']
  // Fetched when first needed, and again when a token was signed with a key that is not among them.
  readonly #keys: ReturnType<typeof createRemoteJWKSet>

  constructor({ callers }: Config) {
    this.#config = callers
    this.#keys = createRemoteJWKSet(new URL(callers.jwksUri))
  }

  /** Finds out who calls, or rejects with a {@link CallerException}. */
  async check(authorization: string | undefined, scope: string): Promise<Caller> {
    const token = bearerToken(authorization)
    if (token === undefined) throw new CallerException(401, 'Bearer')
    const { sub: subject = '', scope: granted, cnf } = await this.#verify(token)
    // A token bound to a key is good with a proof by it alone (RFC 9449 §7.2), which this service does not look for.
    if (cnf !== undefined) throw invalidToken()
    if (typeof granted !== 'string' || !granted.split(' ').includes(scope)) {
      throw new CallerException(403, `Bearer error="insufficient_scope", scope="${scope}"`)
    }
    return { subject }
  }

  async #verify(token: string): Promise<JWTPayload> {
    const { issuer, audience } = this.#config
    try {
      const options = { issuer, audience, typ: 'at+jwt', requiredClaims: ['exp', 'sub'] }
      return (await jwtVerify(token, this.#keys, options)).payload
    } catch (error) {
      if (error instanceof errors.JOSEError && !isAboutKeys(error)) throw invalidToken()
      // That the keys could not be fetched is not the caller's fault.
      throw new CallerException(503, undefined, error)
    }
  }
}

function invalidToken(): CallerException {
  return new CallerException(401, 'Bearer error="invalid_token"')
}

function isAboutKeys({ code }: errors.JOSEError): boolean {
  return code === 'ERR_JWKS_TIMEOUT' || code === 'ERR_JWKS_INVALID' || code === 'ERR_JOSE_GENERIC'
}
