import type { DecodedJwt } from '../jwt/decoded-jwt.ts'
import type { ClientMethod } from './client-definition.ts'

/** How a token request authenticated the client; `multiple` if in more than one way, `none` if in no known way. */
export type ClientAuthMethod = ClientMethod | 'multiple'

/** A token request that was answered. Holds no secret, no token, and of a JWT never the signature. */
export interface TokenRequestRecord {
  /** As registered, or as claimed if there is no such client. */
  readonly clientId?: string
  readonly grantType?: string
  /** As sent. */
  readonly scope?: string
  /** As sent; empty if the request named none. */
  readonly resource: readonly string[]
  readonly clientAuthMethod: ClientAuthMethod
  readonly clientAssertion?: DecodedJwt
  /** Of the jwt-bearer grant. */
  readonly assertion?: DecodedJwt
  readonly dpopProof?: DecodedJwt
  /** SHA-256 thumbprint of the client's certificate in base64url, if it showed one. */
  readonly certificateThumbprint?: string
  /** HTTP status of the answer. */
  readonly status: number
  /** The answer's error code, RFC 6749 §5.2, if it is one. */
  readonly error?: string
  /** When the request arrived, milliseconds since the epoch. */
  readonly at: number
}

/** A token request whose headers have arrived and that is not answered yet. */
export interface TokenRequestArrival {
  /** 0 for the server's first token request. */
  readonly index: number
  /** Milliseconds since the epoch. */
  readonly at: number
}

/** Called when a token request arrives. The answer waits for a promise that it returns; throwing makes it a 500. */
export type TokenRequestListener = (arrival: TokenRequestArrival) => void | Promise<void>
