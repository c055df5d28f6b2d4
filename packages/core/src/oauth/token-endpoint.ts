import * as oauth from 'oauth4webapi'
import { isSecretName, redactedCause, redactText, secretsOf } from '../diagnostics/redact.ts'
import { TokenEndpointUnreachableError, TokenRequestError, TokenResponseError } from '../errors.ts'
import {
  UnchangedCredentialError,
  type ClientAuth,
  type ClientAuthAttempt,
  type CredentialUsed,
} from './client-auth.ts'
import { maxTokenLength, tokenSyntax } from './access-token.ts'
import { refusalKind } from './error-codes.ts'
import type { HttpExchange, HttpExchangeResponse } from './http-exchange.ts'
import { retryAtOf } from './retry-after.ts'
import { asFetch, type ServerMetadata } from './server-metadata.ts'
import { whyNoAccessToken } from './token-type-identifiers.ts'

/** One token request (RFC 6749 §3.2): who asks whom for what. */
export interface TokenEndpointRequest {
  readonly server: ServerMetadata
  readonly clientId: string
  readonly clientAuth: ClientAuth
  readonly grantType: string
  readonly parameters: readonly (readonly [name: string, value: string])[]
  readonly attempt: ClientAuthAttempt
  /** Told what the client authenticates with, before anything is sent. */
  onCredential(used: CredentialUsed): void
  /** Told of a success and the refresh token in it, whether or not the access token can be used. */
  onGranted(refreshToken: string | undefined): void
  /** The wall clock. */
  now(): number
}

/** Proofs of possession for token requests. */
export interface TokenRequestProofs {
  /** A new proof for one sending to this URL. */
  prove(url: string): Promise<string>
  /** Takes note of an answer's `DPoP-Nonce`; true if it had one. */
  note(url: string, headers: Headers): boolean
}

/** What a good answer says. Lifetimes are as the server sent them, unchecked. */
export interface TokenEndpointResponse {
  readonly accessToken: string
  readonly tokenType: string
  readonly scope: string | undefined
  readonly expiresIn: unknown
  readonly refreshIn: unknown
}

/**
 * Does what `send` does over `exchange`, with a proof in each request. Once more, with everything in it made anew, when the
 * server wants a proof with the nonce that it just gave (RFC 9449 §8).
 */
export async function withProofs<Result>(
  proofs: TokenRequestProofs | undefined,
  exchange: HttpExchange,
  send: (exchange: HttpExchange) => Promise<Result>,
): Promise<Result> {
  if (proofs === undefined) return send(exchange)
  let isNew = false
  const proving: HttpExchange = async (message) => {
    const answer = await exchange({
      ...message,
      headers: { ...message.headers, dpop: await proofs.prove(message.url) },
    })
    isNew = proofs.note(message.url, answer.headers)
    return answer
  }
  try {
    return await send(proving)
  } catch (error) {
    if (!isNew || !(error instanceof TokenRequestError) || error.error !== 'use_dpop_nonce') throw error
    return await send(proving)
  }
}

/**
 * Sends one token request and checks the answer.
 * Throws a `TokenRequestError` for an error answer, a `TokenResponseError` for a success that holds no usable token,
 * and a `TokenEndpointUnreachableError` when no answer came. No error holds a credential or a body.
 * With no other credential than those that were refused it sends nothing and throws an `UnchangedCredentialError`.
 */
export async function requestToken(
  request: TokenEndpointRequest,
  exchange: HttpExchange,
): Promise<TokenEndpointResponse> {
  const { server, clientId, clientAuth, attempt } = request
  const { signal } = attempt
  // RFC 8705 §5: where the endpoints for clients with a certificate are.
  const client = { client_id: clientId, use_mtls_endpoint_aliases: clientAuth.mutualTls !== undefined }
  let used: CredentialUsed = {}
  const authenticate: oauth.ClientAuth = async (as, self, body, headers) => {
    used = toCredentialUsed(await clientAuth(as, self, body, headers, attempt))
    if (used.version !== undefined && attempt.refused.has(used.version)) throw new UnchangedCredentialError()
    request.onCredential(used)
  }
  let answer: HttpExchangeResponse | undefined
  let secrets: readonly string[] | undefined
  const send: HttpExchange = async (message) => {
    secrets = secretsOf(new URLSearchParams(message.body), message.headers['authorization'])
    answer = await exchange({ ...message, certificate: used.certificate })
    return answer
  }
  // First, as every example has it: oauth4webapi sets it where it is, and would add it at the end.
  const form = new URLSearchParams([
    ['grant_type', request.grantType],
    ...request.parameters.map(([name, value]) => [name, value]),
  ])
  try {
    await oauth.genericTokenEndpointRequest(server, client, authenticate, request.grantType, form, {
      signal,
      // Which host may be asked over http: was decided when the options were read.
      [oauth.allowInsecureRequests]: true,
      [oauth.customFetch]: asFetch(send),
    })
  } catch (error) {
    signal.throwIfAborted()
    if (error instanceof UnchangedCredentialError) throw error
    if (secrets === undefined) throw notPrepared(error)
    throw new TokenEndpointUnreachableError('the authorization server could not be reached', {
      cause: redactedCause(error, secrets),
    })
  }
  if (answer === undefined || secrets === undefined) throw new TypeError('oauth4webapi made no request')
  if (answer.status < 200 || answer.status > 299 || isErrorBody(answer))
    throw errorAnswer(answer, secrets, request.now())
  noteGrant(answer, request)
  return successAnswer(answer, server, client, secrets)
}

/** Why nothing was sent: a credential that cannot be read, or one that cannot be used. */
export function notPrepared(error: unknown): TokenRequestError {
  return new TokenRequestError('this service could not prepare its token request', { cause: redactedCause(error) })
}

function noteGrant(answer: HttpExchangeResponse, request: TokenEndpointRequest): void {
  const { access_token: accessToken, refresh_token: refreshToken } = parseJsonObject(answer) ?? {}
  if (typeof accessToken !== 'string') return
  request.onGranted(typeof refreshToken === 'string' && refreshToken.length > 0 ? refreshToken : undefined)
}

// Functions written for oauth4webapi give nothing.
function toCredentialUsed(given: unknown): CredentialUsed {
  return typeof given === 'object' && given !== null ? given : {}
}

async function successAnswer(
  answer: HttpExchangeResponse,
  server: ServerMetadata,
  client: oauth.Client,
  secrets: readonly string[],
): Promise<TokenEndpointResponse> {
  const json = parseJsonObject(answer)
  const notToBeUsed = whyNoAccessToken(json ?? {})
  if (notToBeUsed !== undefined) {
    throw new TokenResponseError("the authorization server's answer holds no usable access token", {
      cause: new Error(notToBeUsed),
      retryable: false,
    })
  }
  try {
    if (json === undefined)
      throw new SyntaxError(`no JSON object in a ${answer.status} answer of ${contentTypeOf(answer)}`)
    // Ours to judge: lifetimes have rules of their own here, a refresh token was taken note of, and nobody reads an ID token.
    const { expires_in: expiresIn, refresh_in: refreshIn, id_token: _id, refresh_token: _refresh, ...rest } = json
    const result = await oauth.processGenericTokenEndpointResponse(
      server,
      client,
      new Response(JSON.stringify(rest), { status: answer.status, headers: { 'content-type': 'application/json' } }),
    )
    if (result.access_token.length > maxTokenLength)
      throw new RangeError(`access_token is over ${maxTokenLength} characters`)
    if (!tokenSyntax.test(result.access_token))
      throw new SyntaxError('access_token has characters that no token may have')
    return { accessToken: result.access_token, tokenType: result.token_type, scope: result.scope, expiresIn, refreshIn }
  } catch (error) {
    throw new TokenResponseError("the authorization server's answer holds no usable access token", {
      cause: redactedCause(error, secrets),
      retryable: !(error instanceof oauth.UnsupportedOperationError),
    })
  }
}

// Servers answer errors with all sorts of statuses and types, so the body decides first and the status second.
function errorAnswer(answer: HttpExchangeResponse, secrets: readonly string[], now: number): TokenRequestError {
  const redirected = answer.status >= 300 && answer.status < 400
  const { error, error_description: description, error_uri: uri, ...rest } = parseJsonObject(answer) ?? {}
  const clean = (value: unknown) => (typeof value === 'string' ? redactText(value, secrets) : undefined)
  const parameters = Object.entries(rest)
    .filter(([name, value]) => !isSecretName(name) && (typeof value === 'string' || typeof value === 'number'))
    .map(([name, value]) => [redactText(name, secrets), redactText(String(value), secrets)])
  // A program's word, not a text: a short secret that happens to be part of it must not spoil it.
  const code = typeof error === 'string' && /^[a-z_]{1,64}$/.test(error) ? error : clean(error)
  const cause = redirected
    ? 'the token endpoint answered with a redirect, which is never followed; correct oauth.tokenEndpoint or the metadata'
    : [`the token endpoint answered ${answer.status}`, code, clean(description)]
        .filter((part) => part !== undefined)
        .join(': ')
  return new TokenRequestError('the authorization server refused the token request', {
    error: code,
    errorDescription: clean(description),
    errorUri: clean(uri),
    tokenEndpointStatus: answer.status,
    // The server itself is in trouble: our caller may try again.
    statusCode: refusalKind(code, answer.status) === 'transient' ? 503 : undefined,
    retryAt: retryAtOf(answer.headers, now),
    parameters: Object.fromEntries(parameters) as Record<string, string>,
    cause: new Error(cause),
  })
}

// Some servers answer errors with 200.
function isErrorBody(answer: HttpExchangeResponse): boolean {
  const json = parseJsonObject(answer)
  return typeof json?.['error'] === 'string' && json['access_token'] === undefined
}

function parseJsonObject(answer: HttpExchangeResponse): Record<string, unknown> | undefined {
  const type = contentTypeOf(answer)
  if (type !== 'application/json' && !type.endsWith('+json')) return undefined
  try {
    const json: unknown = JSON.parse(answer.body)
    return typeof json === 'object' && json !== null && !Array.isArray(json)
      ? (json as Record<string, unknown>)
      : undefined
  } catch {
    return undefined
  }
}

function contentTypeOf(answer: HttpExchangeResponse): string {
  return (answer.headers.get('content-type') ?? 'no content type').split(';')[0]?.trim().toLowerCase() ?? ''
}
