import { decodeJwt } from 'jose'
import type { ClientAuth, CredentialFile } from '../oauth/client-auth.ts'
import { isFile } from '../credentials/credential-reader.ts'
import { fileReader } from '../credentials/file-reader.ts'
import { isSecondTry } from '../credentials/reading.ts'
import { jwtBearer, putAssertion } from './put-assertion.ts'

/** What an {@link AssertionProvider} is told. */
export interface AssertionRequest {
  /** The authorization server's issuer identifier; undefined when only its token endpoint is configured. */
  readonly issuer: string | undefined
  readonly tokenEndpoint: string
  readonly clientId: string
  /** 1 for the first attempt of a token request. */
  readonly attempt: number
  /** Aborts when the attempt is given up. */
  readonly signal: AbortSignal | undefined
}

/** An assertion that somebody else made. */
export interface ProvidedAssertion {
  readonly assertion: string
  /** Default: that of the options. */
  readonly assertionType?: string | undefined
  /** Milliseconds since the epoch from when on it is not sent. Default: what a JWT says itself. */
  readonly expiresAt?: number | undefined
  /**
   * Changes with what stands behind the assertion. With it, a refused assertion is replaced at once if there is another
   * one. Default none: an assertion that is made anew each time differs each time, and would be refused each time.
   */
  readonly version?: string | undefined
}

/** What makes an assertion, for each attempt of a token request. */
export type AssertionProvider = (
  request: AssertionRequest,
) => string | ProvidedAssertion | Promise<string | ProvidedAssertion>

/** Options of {@link clientAssertion}. */
export interface ClientAssertionOptions {
  /**
   * The `client_assertion_type`. Default `urn:ietf:params:oauth:client-assertion-type:jwt-bearer` (RFC 7523 §2.2). SPIFFE
   * JWT-SVIDs have `urn:ietf:params:oauth:client-assertion-type:jwt-spiffe`.
   */
  readonly assertionType?: string | undefined
}

const jwtSpiffe = 'urn:ietf:params:oauth:client-assertion-type:jwt-spiffe'

/**
 * An assertion that somebody else signs (RFC 7521 §4.2): a file that is replaced before it expires, such as a Kubernetes
 * projected token or a SPIFFE JWT-SVID, or a function that gets one. A file's assertion is sent as long as it is there.
 *
 * Its method is `private_key_jwt`, or `spiffe_jwt` for that assertion type.
 * Throws a `TypeError` for a wrong option. A missing or empty file and an expired assertion fail the token request.
 */
export function clientAssertion(
  source: CredentialFile | AssertionProvider,
  options: ClientAssertionOptions = {},
): ClientAuth {
  const { assertionType = jwtBearer } = options
  if (typeof assertionType !== 'string' || assertionType === '') {
    throw new TypeError('clientAssertion: assertionType: expected a non-empty string')
  }
  const read = assertionReader(source)
  const authenticate: ClientAuth = async (server, client, body, _headers, attempt) => {
    const endpoint = server.token_endpoint ?? ''
    const request: AssertionRequest = {
      issuer: server.issuer === endpoint ? undefined : server.issuer,
      tokenEndpoint: endpoint,
      clientId: client.client_id,
      attempt: attempt?.number ?? 1,
      signal: attempt?.signal,
    }
    const given = await read(request, isSecondTry(attempt))
    const type = given.assertionType ?? assertionType
    check(given, type)
    putAssertion(body, client, type, given.assertion)
    return { version: given.version }
  }
  return Object.assign(authenticate, { method: assertionType === jwtSpiffe ? 'spiffe_jwt' : 'private_key_jwt' })
}

function assertionReader(
  source: CredentialFile | AssertionProvider,
): (request: AssertionRequest, fresh: boolean) => Promise<ProvidedAssertion> {
  if (isFile(source)) {
    const read = fileReader('clientAssertion: file', source.file)
    return async (_request, fresh) => {
      const { value, version } = await read(fresh)
      return { assertion: value.trim(), version }
    }
  }
  if (typeof source !== 'function') {
    throw new TypeError('clientAssertion: expected { file } or a function that gives an assertion')
  }
  return async (request) => {
    const given: unknown = await source(request)
    return (typeof given === 'object' && given !== null ? given : { assertion: given }) as ProvidedAssertion
  }
}

// What is known to be refused is not sent: the message names the reason, which the server's answer seldom does.
function check({ assertion, expiresAt }: ProvidedAssertion, type: string): void {
  if (typeof assertion !== 'string' || assertion === '') {
    throw new TypeError('clientAssertion: the provider must give a non-empty assertion')
  }
  const isJwt = type === jwtBearer || type === jwtSpiffe
  if ((expiresAt ?? (isJwt ? expiryOf(assertion) : Infinity)) <= Date.now()) {
    throw new TypeError('clientAssertion: the assertion has expired')
  }
}

function expiryOf(jwt: string): number {
  // One that is encrypted too (RFC 7516 §3.1, five parts) says nothing to us.
  if (/^[\w-]+(?:\.[\w-]*){4}$/.test(jwt)) return Infinity
  try {
    const { exp } = decodeJwt(jwt)
    return exp === undefined ? Infinity : exp * 1000
  } catch {
    throw new TypeError('clientAssertion: the assertion is not a JWT')
  }
}
