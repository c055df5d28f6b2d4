import type { ProtectedApiRequest, TokenRequestRecord } from '@tokenwell/testing'
import type { Caller } from './callers.ts'
import type { User } from './users.ts'

/** What the API answers: the request as it saw it. */
export interface SeenByApi {
  readonly clientId?: string
  readonly subject?: string
  readonly scope?: string
  readonly tokenType?: string
  readonly headers: Readonly<Record<string, string>>
}

/** A call to the API that an example made. */
export interface Call {
  /** In whose name; undefined if in the example's own. */
  readonly user?: string | undefined
  /** What the example answered, or the API where nobody asked the example. */
  readonly status: number
  /** The answer's text. */
  readonly answer: string
  /** What the API saw; missing if the example had no answer of the API to tell. */
  readonly seen: SeenByApi | undefined
  /** Inbound headers that must have gone on to the API. */
  readonly expected: Readonly<Record<string, string>>
}

/** What a service answers besides. */
export interface Manners {
  /** `/profile` without a token, and the challenge. */
  readonly withoutToken: string
  /** `/profile` with a token that says another name than it was signed for. */
  readonly withForgedToken: string
  /** `/healthz` and `/readyz` after all calls. */
  readonly live: number
  readonly ready: number
}

/** What an example did. */
export interface Work {
  readonly caller: Caller
  /** In its own name. */
  readonly orders: readonly Call[]
  /** In the names of users; a worker has none. */
  readonly profiles: readonly Call[]
  readonly manners?: Manners
}

/** What an example did, and what it asked the authorization server for. */
export interface Observation extends Work {
  /** As the authorization server recorded them: client credentials. */
  readonly ownTokenRequests: readonly TokenRequestRecord[]
  /** Token exchanges. */
  readonly exchanges: readonly TokenRequestRecord[]
}

/** All that the demo has seen. */
export interface Evidence {
  readonly users: readonly User[]
  readonly observations: readonly Observation[]
  /** All token requests that the authorization server got. */
  readonly tokenRequestCount: number
  /** As the API recorded them, without the controls. */
  readonly apiRequests: readonly ProtectedApiRequest[]
  /** What the API answers to a call without a token, and to one with a token that a user has for the services. */
  readonly controls: { readonly withoutToken: number; readonly withInboundToken: number }
}
