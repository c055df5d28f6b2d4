import type { ClientCertificate } from './client-certificate.ts'

/** One request to the authorization server. Redirects are never followed. */
export interface HttpExchangeRequest {
  readonly url: string
  readonly method: 'GET' | 'POST'
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string | undefined
  readonly signal?: AbortSignal | undefined
  /** Shown on the connection. */
  readonly certificate?: ClientCertificate | undefined
}

/** Its answer, with the body read to the end. */
export interface HttpExchangeResponse {
  readonly status: number
  readonly headers: Headers
  readonly body: string
}

/** How this package reaches the authorization server. Rejects when no complete answer came, or a body over 1 MiB. */
export type HttpExchange = (request: HttpExchangeRequest) => Promise<HttpExchangeResponse>

/** The answer's body went on past the bound. */
export class BodyTooLargeError extends Error {
  override name = 'BodyTooLargeError'
}
