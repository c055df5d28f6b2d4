import type { IncomingHttpHeaders } from 'node:http'

/** A request that the protected API answered. Holds no token. */
export interface ProtectedApiRequest {
  readonly method: string
  /** Path and query, as sent. */
  readonly path: string
  /** Without `authorization`. */
  readonly headers: IncomingHttpHeaders
  /** Read as UTF-8; empty if there was none. */
  readonly body: string
  /** SHA-256 of the token in hex, as by `tokenHash`; missing if none was sent. */
  readonly tokenHash?: string
  /** The token's client, if the token was good. */
  readonly clientId?: string
  /** The token's scope, if the token was good and has one. */
  readonly scope?: string
  /** HTTP status of the answer. */
  readonly status: number
  /** The challenge's error code (RFC 6750 §3.1), if there was one. */
  readonly error?: string
  /** When the headers arrived, milliseconds since the epoch. */
  readonly at: number
}
