import type { ProtectedApiRequest, TokenRequestRecord } from '@tokenwell/testing'
import type { Caller } from './callers.ts'

/** What the API answers: the request as it saw it. */
export interface SeenByApi {
  readonly clientId?: string
  readonly scope?: string
  readonly tokenType?: string
  readonly headers: Readonly<Record<string, string>>
}

/** A call to the API that an example made. */
export interface Call {
  /** What the example answered, or the API where nobody asked the example. */
  readonly status: number
  /** The answer's text. */
  readonly answer: string
  /** What the API saw; missing if the example had no answer of the API to tell. */
  readonly seen: SeenByApi | undefined
  /** Inbound headers that must have gone on to the API. */
  readonly expected: Readonly<Record<string, string>>
}

/** What one example did. */
export interface Observation {
  readonly caller: Caller
  readonly calls: readonly Call[]
  /** As the authorization server recorded them. */
  readonly tokenRequests: readonly TokenRequestRecord[]
}

/** All that the demo has seen. */
export interface Evidence {
  readonly observations: readonly Observation[]
  /** All token requests that the authorization server got. */
  readonly tokenRequestCount: number
  /** As the API recorded them, without the controls. */
  readonly apiRequests: readonly ProtectedApiRequest[]
  /** What the API answers to a call without a token, and to one with the token that the services were sent. */
  readonly controls: { readonly withoutToken: number; readonly withInboundToken: number }
}
