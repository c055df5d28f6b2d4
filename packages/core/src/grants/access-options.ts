import type { CallContext } from '../context/call-context.ts'
import { scopeSet, sortedSet, type OneOrMany } from '../oauth/scope.ts'
import type { AuthorizationDetail, ExtraParameters, Grant, TokenParameters } from './grant.ts'

/** A value, or a function of the call's context that gives it. */
export type Contextual<T> = T | ((context: CallContext) => T)

/** What a grant asks for; all may be left out. */
export interface AccessOptions {
  /** Scopes asked for (RFC 6749 §3.3), as a list or separated by spaces. An empty one is not sent. */
  readonly scope?: Contextual<OneOrMany> | undefined
  /** APIs that the token is for, as absolute URIs without fragment (RFC 8707 §2). */
  readonly resource?: Contextual<OneOrMany> | undefined
  /** The `audience` parameter that some servers take instead. */
  readonly audience?: Contextual<OneOrMany> | undefined
  /** Fine-grained permissions (RFC 9396 §2). */
  readonly authorizationDetails?: Contextual<readonly AuthorizationDetail[]> | undefined
  /** Further form parameters. Those that the protocol defines are refused with a `TypeError`. */
  readonly parameters?: Contextual<ExtraParameters> | undefined
}

/** What the request's other parts decide: naming one here would send it twice, or forge it. */
const protocolParameters = new Set([
  'actor_token',
  'actor_token_type',
  'assertion',
  'audience',
  'authorization_details',
  'client_assertion',
  'client_assertion_type',
  'client_id',
  'client_secret',
  'code',
  'code_verifier',
  'grant_type',
  'redirect_uri',
  'refresh_token',
  'requested_token_type',
  'resource',
  'scope',
  'subject_token',
  'subject_token_type',
])

/**
 * The half of a grant that makes token parameters of these options.
 * Throws a `TypeError` for parameters that may not be sent; for those that a function gives, when it is called.
 */
export function accessParameters(
  options: AccessOptions,
  subject?: Contextual<readonly string[]>,
): Pick<Grant, 'contextual' | 'parameters'> {
  const { scope, resource, audience, authorizationDetails, parameters } = options
  const parts = [scope, resource, audience, authorizationDetails, parameters, subject]
  const contextual = parts.some((part) => typeof part === 'function')
  const resolve = (context: CallContext): TokenParameters => {
    const details = valueIn(authorizationDetails, context)
    return Object.freeze({
      scope: scopeSet(strings(valueIn(scope, context), 'scope')),
      resource: sortedSet(strings(valueIn(resource, context), 'resource')),
      audience: sortedSet(strings(valueIn(audience, context), 'audience')),
      // A copy: what the caller does to the object later changes no request.
      authorizationDetails: details === undefined ? undefined : Object.freeze(structuredClone(details)),
      parameters: extraParameters(valueIn(parameters, context)),
      subject: valueIn(subject, context),
    })
  }
  const fixed = contextual ? undefined : resolve({})
  return { contextual, parameters: (context) => fixed ?? resolve(context ?? {}) }
}

/** The value for one context. */
export function valueIn<T>(value: Contextual<T> | undefined, context: CallContext): T | undefined {
  return typeof value === 'function' ? (value as (context: CallContext) => T)(context) : value
}

function strings(value: OneOrMany | undefined, option: string): OneOrMany | undefined {
  const list: readonly unknown[] = Array.isArray(value) ? value : [value ?? '']
  if (list.some((item) => typeof item !== 'string'))
    throw new TypeError(`${option}: expected a string or an array of strings`)
  return value
}

function extraParameters(parameters: ExtraParameters | undefined): TokenParameters['parameters'] {
  const pairs = Object.entries(parameters ?? {}).flatMap(([name, value]) => {
    if (protocolParameters.has(name)) {
      throw new TypeError(
        `parameters.${name}: the protocol's own parameter; it has an option of its own or is not yours to set`,
      )
    }
    const list = strings(value, `parameters.${name}`)
    return (typeof list === 'string' ? [list] : (list ?? [])).map((item) => [name, item] as const)
  })
  return Object.freeze(pairs.toSorted((a, b) => compare(a[0], b[0]) || compare(a[1], b[1])))
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b)
}
