import type * as oauth from 'oauth4webapi'

/**
 * A credential, or what gives it. A function is called anew for each token request, so a rotated secret needs no
 * restart; one that is slow should cache by itself.
 */
export type Secret = string | (() => string | Promise<string>)

/**
 * How a client proves who it is to the token endpoint (RFC 6749 §2.3): a function that completes the request's form
 * and headers. Called for each attempt, so that an assertion is never sent twice.
 *
 * It is called as oauth4webapi calls its own, so `ClientAuth` functions of that library work too.
 */
export interface ClientAuth {
  (
    server: oauth.AuthorizationServer,
    client: oauth.Client,
    body: URLSearchParams,
    headers: Headers,
  ): void | Promise<void>
  /** The method's name in IANA's registry (RFC 7591 §2, token_endpoint_auth_method). Part of the token key. */
  readonly method?: string
  /** True when it cannot work with a `tokenEndpoint` alone: it puts the issuer into what it signs. */
  readonly needsIssuer?: boolean
}

/** Reads a {@link Secret} for one request. Throws a `TypeError` when a provider gives no string, or an empty one. */
export async function readSecret(secret: Secret, option: string): Promise<string> {
  const value: unknown = typeof secret === 'string' ? secret : await secret()
  if (typeof value !== 'string' || value.length === 0) {
    throw new TypeError(`${option}: the provider must give a non-empty string`)
  }
  return value
}
