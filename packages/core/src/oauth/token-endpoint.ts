import * as oauth from 'oauth4webapi'
import { isSecretName, redactedCause, redactText, secretsOf } from '../diagnostics/redact.ts'
import { TokenEndpointUnreachableError, TokenRequestError, TokenResponseError } from '../errors.ts'
import type { ClientAuth } from './client-auth.ts'
import { refusalKind } from './error-codes.ts'
import type { HttpExchange, HttpExchangeResponse } from './http-exchange.ts'
import { retryAtOf } from './retry-after.ts'
import { asFetch, type ServerMetadata } from './server-metadata.ts'

/** One token request (RFC 6749 §3.2): who asks whom for what. */
export interface TokenEndpointRequest {
  readonly server: ServerMetadata
  readonly clientId: string
  readonly clientAuth: ClientAuth
  readonly grantType: string
  readonly parameters: readonly (readonly [name: string, value: string])[]
  readonly signal: AbortSignal
  /** The wall clock. */
  now(): number
}

/** What a good answer says. Lifetimes are as the server sent them, unchecked. */
export interface TokenEndpointResponse {
  readonly accessToken: string
  readonly tokenType: string
  readonly scope: string | undefined
  readonly expiresIn: unknown
  readonly refreshIn: unknown
}

const maxTokenLength = 16 * 1024
// RFC 6750 §2.1, b64token: nothing that could end a header line or start another parameter.
const tokenSyntax = /^[A-Za-z0-9\-._~+/]+=*$/

/**
 * Sends one token request and checks the answer.
 * Throws a `TokenRequestError` for an error answer, a `TokenResponseError` for a success that holds no usable token,
 * and a `TokenEndpointUnreachableError` when no answer came. No error holds a credential or a body.
 */
export async function requestToken(
  request: TokenEndpointRequest,
  exchange: HttpExchange,
): Promise<TokenEndpointResponse> {
  const { server, clientId, signal } = request
  const client = { client_id: clientId }
  let answer: HttpExchangeResponse | undefined
  let secrets: readonly string[] | undefined
  const send: HttpExchange = async (message) => {
    secrets = secretsOf(new URLSearchParams(message.body), message.headers['authorization'])
    answer = await exchange(message)
    return answer
  }
  const form = new URLSearchParams(request.parameters.map(([name, value]) => [name, value]))
  try {
    await oauth.genericTokenEndpointRequest(server, client, request.clientAuth, request.grantType, form, {
      signal,
      // Which host may be asked over http: was decided when the options were read.
      [oauth.allowInsecureRequests]: true,
      [oauth.customFetch]: asFetch(send),
    })
  } catch (error) {
    signal.throwIfAborted()
    if (secrets === undefined) {
      throw new TokenRequestError('this service could not prepare its token request', { cause: redactedCause(error) })
    }
    throw new TokenEndpointUnreachableError('the authorization server could not be reached', {
      cause: redactedCause(error, secrets),
    })
  }
  if (answer === undefined || secrets === undefined) throw new TypeError('oauth4webapi made no request')
  if (answer.status < 200 || answer.status > 299 || isErrorBody(answer))
    throw errorAnswer(answer, secrets, request.now())
  return successAnswer(answer, server, client, secrets)
}

async function successAnswer(
  answer: HttpExchangeResponse,
  server: ServerMetadata,
  client: oauth.Client,
  secrets: readonly string[],
): Promise<TokenEndpointResponse> {
  try {
    const json = parseJsonObject(answer)
    if (json === undefined)
      throw new SyntaxError(`no JSON object in a ${answer.status} answer of ${contentTypeOf(answer)}`)
    // Ours to judge: lifetimes have rules of their own here, and nobody reads an ID token.
    const { expires_in: expiresIn, refresh_in: refreshIn, id_token: _, ...rest } = json
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
