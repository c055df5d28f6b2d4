import type { ClientMethod } from './client-definition.ts'

/** How a token request authenticated the client; `multiple` if in more than one way, `none` if in no known way. */
export type ClientAuthMethod = ClientMethod | 'none' | 'multiple'

/** A token request that was answered. Holds no secret, assertion or token. */
export interface TokenRequestRecord {
  /** As registered, or as claimed if there is no such client. */
  readonly clientId?: string
  readonly grantType?: string
  /** As sent. */
  readonly scope?: string
  /** As sent; empty if the request named none. */
  readonly resource: readonly string[]
  readonly clientAuthMethod: ClientAuthMethod
  /** HTTP status of the answer. */
  readonly status: number
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
