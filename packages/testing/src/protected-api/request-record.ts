import type { IncomingHttpHeaders } from 'node:http'

import type { DecodedJwt } from '../jwt/decoded-jwt.ts'
import type { TokenScheme } from './presented-token.ts'

/** A request that the protected API answered. Holds no token, and of a proof not the signature. */
export interface ProtectedApiRequest {
  readonly method: string
  /** Path and query, as sent. */
  readonly path: string
  /** Without `authorization` and `dpop`. */
  readonly headers: IncomingHttpHeaders
  /** Read as UTF-8; empty if there was none. */
  readonly body: string
  /** SHA-256 of the token in hex, as by `tokenHash`; missing if none was sent. */
  readonly tokenHash?: string
  /** How the token was presented; missing if none was sent. */
  readonly tokenType?: TokenScheme
  /** The DPoP proof, whatever became of it. */
  readonly proof?: DecodedJwt
  /** SHA-256 thumbprint of the client's certificate in base64url, if it showed one. */
  readonly certificateThumbprint?: string
  /** The token's client, if the token was good. */
  readonly clientId?: string
  /** The token's `sub`, if the token was good. */
  readonly subject?: string
  /** The token's scope, if the token was good and has one. */
  readonly scope?: string
  /** HTTP status of the answer. */
  readonly status: number
  /** The challenge's error code (RFC 6750 §3.1, RFC 9449 §12.2), if there was one. */
  readonly error?: string
  /** When the headers arrived, milliseconds since the epoch. */
  readonly at: number
}
