import * as oauth from 'oauth4webapi'
import { redactText, redactedCause } from '../diagnostics/redact.ts'
import { ServerMetadataError } from '../errors.ts'
import type { HttpExchange, HttpExchangeResponse } from './http-exchange.ts'

/** An authorization server's metadata (RFC 8414 §2), at least the part that token requests need. */
export type ServerMetadata = oauth.AuthorizationServer & { readonly token_endpoint: string }

/** Where the metadata of one issuer is looked for. */
export interface ServerMetadataLocation {
  readonly issuer: string
  readonly metadataUrl?: string | undefined
  /** The client shows a certificate, so the token endpoint for such clients counts too (RFC 8705 §5). */
  readonly mutualTls?: boolean | undefined
}

/** Refuses an endpoint before anything is sent to it: throws when `http:` is not allowed there. */
export type EndpointCheck = (url: URL) => void

/**
 * Fetches the metadata of `issuer`: from `metadataUrl` alone, if given, else from the two places that the issuer's
 * identifier stands for (RFC 8414 §3.1, OpenID Connect Discovery §4), the second only when the first has none.
 * Rejects with a `ServerMetadataError`: an endpoint is never guessed.
 */
export async function fetchServerMetadata(
  location: ServerMetadataLocation,
  exchange: HttpExchange,
  checkEndpoint: EndpointCheck,
  signal: AbortSignal,
): Promise<ServerMetadata> {
  const failures: unknown[] = []
  let transient = false
  for (const fetchOne of candidates(location)) {
    let response: HttpExchangeResponse | undefined
    const remember = async (request: Parameters<HttpExchange>[0]) => (response = await exchange(request))
    try {
      return checked(await parse(await fetchOne(remember, signal), location), location, checkEndpoint)
    } catch (error) {
      if (error instanceof ServerMetadataError || signal.aborted) throw error
      transient ||= response === undefined || response.status >= 500 || response.status === 429
      failures.push(redactedCause(error))
    }
  }
  const cause = new Error(
    `no metadata of ${location.issuer} was found; set oauth.metadataUrl or oauth.tokenEndpoint if it is elsewhere`,
    { cause: failures.length === 1 ? failures[0] : new AggregateError(failures, 'each place failed') },
  )
  throw new ServerMetadataError("the authorization server's metadata could not be had", {
    cause,
    statusCode: transient ? 503 : 502,
  })
}

type FetchOne = (exchange: HttpExchange, signal: AbortSignal) => Promise<Response>

function candidates({ issuer, metadataUrl }: ServerMetadataLocation): FetchOne[] {
  if (metadataUrl !== undefined) {
    const headers = { accept: 'application/json' }
    return [async (exchange, signal) => asFetch(exchange)(metadataUrl, { method: 'GET', headers, signal })]
  }
  return (['oauth2', 'oidc'] as const).map(
    (algorithm) => (exchange, signal) =>
      oauth.discoveryRequest(new URL(issuer), {
        algorithm,
        signal,
        // Which host may be asked over http: was decided when the options were read.
        [oauth.allowInsecureRequests]: true,
        [oauth.customFetch]: asFetch(exchange),
      }),
  )
}

async function parse(
  response: Response,
  { issuer, metadataUrl }: ServerMetadataLocation,
): Promise<oauth.AuthorizationServer> {
  const metadata: unknown = await response
    .clone()
    .json()
    .catch(() => undefined)
  const reported = (metadata as { issuer?: unknown } | null | undefined)?.issuer
  // RFC 8414 §3.3: identical, not merely equal as URLs. oauth4webapi compares the parsed URLs.
  if (response.status === 200 && typeof reported === 'string' && reported !== issuer) {
    const place = metadataUrl === undefined ? ' and oauth.metadataUrl to where it is found' : ''
    throw new ServerMetadataError("the authorization server's metadata is of another issuer", {
      cause: new Error(
        `the metadata says issuer ${JSON.stringify(redactText(reported))}, oauth.issuer is ${JSON.stringify(issuer)}; ` +
          `if that is the right server, set oauth.issuer to what it says${place}`,
      ),
    })
  }
  return oauth.processDiscoveryResponse(new URL(issuer), response)
}

function checked(
  metadata: oauth.AuthorizationServer,
  { issuer, mutualTls }: ServerMetadataLocation,
  checkEndpoint: EndpointCheck,
): ServerMetadata {
  const alias = mutualTls === true ? metadata.mtls_endpoint_aliases?.token_endpoint : undefined
  try {
    checkEndpoint(new URL(metadata.token_endpoint ?? ''))
    if (alias !== undefined) checkEndpoint(new URL(alias))
  } catch (error) {
    throw new ServerMetadataError("the authorization server's metadata has no usable token endpoint", {
      cause: new Error(`in the metadata of ${issuer}: token_endpoint; set oauth.tokenEndpoint if you know it`, {
        cause: redactedCause(error),
      }),
    })
  }
  return Object.freeze(metadata) as ServerMetadata
}

/** `exchange` in the shape that oauth4webapi calls. */
export function asFetch(exchange: HttpExchange) {
  return async (
    url: string,
    init: {
      method: string
      headers: Record<string, string>
      body?: URLSearchParams | undefined
      signal?: AbortSignal | undefined
    },
  ): Promise<Response> => {
    const { status, headers, body } = await exchange({
      url,
      method: init.method === 'POST' ? 'POST' : 'GET',
      headers: init.headers,
      body: init.body?.toString(),
      signal: init.signal,
    })
    // A Response with one of these statuses may not have a body.
    return new Response(status === 204 || status === 205 || status === 304 ? null : body, { status, headers })
  }
}
