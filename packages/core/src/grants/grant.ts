import type { CallContext } from '../context/call-context.ts'
import type { OneOrMany } from '../oauth/scope.ts'

/** What one token request asks for. Everything in it is part of the token key. */
export interface TokenParameters {
  readonly scope: readonly string[]
  /** RFC 8707 §2. */
  readonly resource: readonly string[]
  /** RFC 8693 §2.1, and many servers' own parameter. */
  readonly audience: readonly string[]
  /** RFC 9396 §2; in the order given. */
  readonly authorizationDetails: readonly AuthorizationDetail[] | undefined
  /** Further form parameters, sorted by name, then value. */
  readonly parameters: readonly (readonly [name: string, value: string])[]
}

/** One authorization details object (RFC 9396 §2). */
export interface AuthorizationDetail {
  readonly type: string
  readonly [member: string]: unknown
}

/** Further form parameters by name; a list sends the parameter several times. */
export type ExtraParameters = Readonly<Record<string, OneOrMany>>

/** An OAuth grant (RFC 6749 §4): what is asked for, and in whose name. */
export interface Grant {
  /** The wire value of `grant_type`. */
  readonly type: string
  /** True when the parameters depend on the call's context. False lets the token key be computed once. */
  readonly contextual: boolean
  /** The parameters for one context. Must be a pure function of it. */
  parameters(context: CallContext | undefined): TokenParameters
}
