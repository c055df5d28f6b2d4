import { STATUS_CODES } from 'node:http'
import { createRemoteJWKSet, errors, jwtVerify, type JWTPayload } from 'jose'
import type { Config } from './config.ts'

/** Who calls this service, by an access token that was checked. */
export interface Caller {
  readonly subject: string
  readonly token: string
}

/** Finds out who calls, or rejects with a {@link CallerError}. */
export type CheckCaller = (authorization: string | undefined) => Promise<Caller>

/** What to answer a caller with who is not served: 401 and 403 with a challenge (RFC 6750 §3), 503 when the keys cannot be had. */
export class CallerError extends Error {
  readonly statusCode: 401 | 403 | 503
  readonly headers: Readonly<Record<string, string>>

  constructor(statusCode: 401 | 403 | 503, challenge?: string, cause?: unknown) {
    super(STATUS_CODES[statusCode], { cause })
    this.statusCode = statusCode
    this.headers = challenge === undefined ? {} : { 'www-authenticate': challenge }
  }
}

/** How to check access tokens as RFC 9068 §4 says: of this issuer, meant for this service, still good, and with `scope`. */
export function createCallerCheck({ issuer, jwksUri, audience }: Config['callers'], scope: string): CheckCaller {
  // Fetched when first needed, and again when a token was signed with a key that is not among them.
  const keys = createRemoteJWKSet(new URL(jwksUri))

  async function verify(token: string): Promise<JWTPayload> {
    try {
      const { payload } = await jwtVerify(token, keys, {
        issuer,
        audience,
        typ: 'at+jwt',
        requiredClaims: ['exp', 'sub'],
      })
      return payload
    } catch (error) {
      if (error instanceof errors.JOSEError && !isAboutKeys(error)) throw invalidToken()
      // That the keys could not be fetched is not the caller's fault.
      throw new CallerError(503, undefined, error)
    }
  }

  return async (authorization) => {
    const token = /^Bearer +([\w.~+/-]+=*)$/i.exec(authorization ?? '')?.[1]
    if (token === undefined) throw new CallerError(401, 'Bearer')
    const { sub: subject = '', scope: granted, cnf } = await verify(token)
    // A token bound to a key is good with a proof by it alone (RFC 9449 §7.2), which this service does not look for.
    if (cnf !== undefined) throw invalidToken()
    if (typeof granted !== 'string' || !granted.split(' ').includes(scope)) {
      throw new CallerError(403, `Bearer error="insufficient_scope", scope="${scope}"`)
    }
    return { subject, token }
  }
}

function invalidToken(): CallerError {
  return new CallerError(401, 'Bearer error="invalid_token"')
}

function isAboutKeys({ code }: errors.JOSEError): boolean {
  return code === 'ERR_JWKS_TIMEOUT' || code === 'ERR_JWKS_INVALID' || code === 'ERR_JOSE_GENERIC'
}
