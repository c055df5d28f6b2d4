import type { Dispatcher } from 'undici'
import { authorizationOf, type AccessToken } from '../oauth/access-token.ts'
import type { TokenSource } from '../source/token-source.ts'
import { strippedOnRedirect, withHeader, withOnlyHeader } from './headers.ts'

type Request = Dispatcher.DispatchOptions

/**
 * RFC 9449 §7: without a proof the token would be one that anybody may use who sees it, so nothing is sent. Throws a `TypeError` when
 * the source makes none.
 */
export async function proofFor(
  source: Pick<TokenSource, 'dpop'>,
  request: Request,
  token: AccessToken,
  nonce: string | undefined,
): Promise<string> {
  if (source.dpop === undefined)
    throw new TypeError('the token is bound to a key (DPoP), and the token source has none')
  const { method, path } = request
  return source.dpop.prove({ method, origin: originOf(request), path, token, nonce })
}

/** Where the request goes, spelled in the one way. */
export function originOf({ origin }: Request): string {
  return new URL(origin ?? '').origin
}

/** The request with its token, if we put one on it, and with the body that a function gives. */
export function asSent(request: Request, token: AccessToken | undefined): Request {
  const { body } = request as { body?: unknown }
  // A function gives the body anew for each time that it is sent.
  const own = typeof body === 'function' ? { body: (body as () => Request['body'])() ?? null } : undefined
  if (token === undefined) return own === undefined ? request : { ...request, ...own }
  const authorization = authorizationOf(token)
  // Most calls have none, and this is the smaller object.
  const headers = request.headers ? withHeader(request.headers, 'authorization', authorization) : { authorization }
  return own === undefined ? { ...request, headers } : { ...request, ...own, headers }
}

/** undici's redirect interceptor takes Authorization off by itself when it goes to another origin, and not this. */
export function withProof(request: Request, proof: string): Request {
  return {
    ...request,
    headers: withOnlyHeader(request.headers, 'dpop', proof) ?? null,
    ...strippedOnRedirect(request, ['dpop']),
  }
}
