import type * as oauth from 'oauth4webapi'
import type { ClientCertificate, MutualTls } from './client-certificate.ts'

/** A credential and a name for what it is now. */
export interface Versioned<Value> {
  readonly value: Value
  /** Another one whenever the value is another one. Neither sent nor shown. */
  readonly version: string
}

/**
 * What gives a credential. Called anew for each attempt of a token request, so one that is slow should cache by itself.
 * Without a version, a change of the value is a change of version.
 */
export type CredentialProvider<Value> = () => Value | Versioned<Value> | Promise<Value | Versioned<Value>>

/**
 * A file with a credential in it. Looked at for each token request, but not more than once a second unless the server
 * refused what was in it, and read again when it changed. A newline at its end is not part of the credential.
 */
export interface CredentialFile {
  /** Its path. Symbolic links are followed each time, so they may be swapped. */
  readonly file: string
}

/** A secret, or where it is found: a rotated secret needs no restart. */
export type Secret = string | CredentialFile | CredentialProvider<string>

/** A secret; or the current one and the one before, which is tried once when the server refuses the current one. */
export type Secrets = Secret | readonly [current: Secret, previous: Secret]

/** What client authentication is told about the attempt that it is for. */
export interface ClientAuthAttempt {
  /** 1 for the first attempt of a token request. */
  readonly number: number
  /** Aborts when the attempt is given up. */
  readonly signal: AbortSignal
  /** Versions of the credential that the server refused a moment ago. What has one of these is not sent again. */
  readonly refused: ReadonlySet<string>
}

/** What a preset for one vendor's server asks of assertions that are signed here, where the user said nothing. */
export interface AssertionDefaults {
  readonly audience?: string | readonly string[] | undefined
  readonly type?: string | undefined
  readonly algorithm?: string | undefined
  /** Refuses a key that neither `kid` nor `x5t` names in the assertion's header. */
  readonly keyNamed?: boolean | undefined
}

/** What an attempt authenticates with, as far as others must know. */
export interface CredentialUsed {
  /** Changes when the credential does. Undefined for one that cannot change: it is not tried twice. */
  readonly version?: string | undefined
  /** To be shown on the connection (RFC 8705 §2). */
  readonly certificate?: ClientCertificate | undefined
}

/**
 * How a client proves who it is to the token endpoint (RFC 6749 §2.3): a function that completes the request's form
 * and headers. Called for each attempt, so that an assertion is never sent twice.
 *
 * It is called as oauth4webapi calls its own, so `ClientAuth` functions of that library work too. One whose credential
 * may change while the service runs says what it used: a refused credential is then replaced at once, without a restart.
 */
export interface ClientAuth {
  (
    server: oauth.AuthorizationServer,
    client: oauth.Client,
    body: URLSearchParams,
    headers: Headers,
    attempt?: ClientAuthAttempt,
  ): void | CredentialUsed | Promise<void | CredentialUsed>
  /** The method's name in IANA's registry (RFC 7591 §2, token_endpoint_auth_method). Part of the token key. */
  readonly method?: string
  /** True when it cannot work with a `tokenEndpoint` alone: it puts the issuer into what it signs. */
  readonly needsIssuer?: boolean
  /** Where the certificate comes from, for a method that shows one on the connection. */
  readonly mutualTls?: MutualTls
  /** The same with other defaults; what was given explicitly stays. For presets such as `oracleIdentityDomain`. */
  withDefaults?(defaults: AssertionDefaults): ClientAuth
}

/** There is no other credential than those that were refused: nothing was sent. Never reaches a caller. */
export class UnchangedCredentialError extends Error {
  override name = 'UnchangedCredentialError'
}
