import type { IncomingMessage, ServerResponse } from 'node:http'

import { listenOnLoopback } from '../loopback-server.ts'
import { readBody } from '../read-body.ts'
import { admit, presentedToken, type Admission } from './bearer.ts'
import type { ProtectedApiRequest } from './request-record.ts'
import { createRevocationList, type TokenMatcher } from './revocation-list.ts'
import { tokenHash } from './token-hash.ts'
import { createTokenVerifier, type IntrospectionAccess } from './verify-token.ts'

/** Options of `createProtectedApi`: `jwksUri` for JWTs, `introspection` for opaque tokens, or both. */
export interface ProtectedApiOptions {
  readonly issuer: string
  /** Where the issuer's keys are. */
  readonly jwksUri?: string
  /** The audience a token must have. Default: none is required. */
  readonly audience?: string
  /** The scope a token must have, several with spaces between. Default: none. */
  readonly requiredScope?: string
  readonly introspection?: IntrospectionAccess
}

/** A protected API on 127.0.0.1 that checks `Bearer` tokens and answers each path with a JSON of what it saw. */
export interface ProtectedApi extends AsyncDisposable {
  /** `http://127.0.0.1:port`. */
  readonly url: string
  /** Answered requests, in the order of the answers. */
  readonly requests: readonly ProtectedApiRequest[]
  /** Refuses a token from now on: the one with this hash (see `tokenHash`), or all that the function picks. */
  revoke(target: string | TokenMatcher): void
  /** Refuses all tokens it was shown so far, whatever it answered. Tokens it has not seen yet stay good. */
  revokeAll(): void
  /** Ends all connections at once and frees the port. Calling it again changes nothing. */
  close(): Promise<void>
}

/**
 * Starts a protected API. It answers 401 and 403 with the challenges of RFC 6750 §3, and 503 if a token cannot be checked.
 * Rejects with a TypeError if neither `jwksUri` nor `introspection` is given.
 */
export async function createProtectedApi(options: ProtectedApiOptions): Promise<ProtectedApi> {
  const verify = createTokenVerifier(options)
  const revoked = createRevocationList()
  const requests: ProtectedApiRequest[] = []

  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const at = Date.now()
    const body = (await readBody(request)).toString('utf8')
    const { method = '', url: path = '' } = request
    const { authorization, ...headers } = request.headers
    const presented = presentedToken(authorization)
    const hash = presented.token === undefined ? {} : { tokenHash: tokenHash(presented.token) }
    if (hash.tokenHash !== undefined) revoked.see(hash.tokenHash)

    const admission = await admit(
      presented,
      async (token) => {
        const claims = await verify(token)
        return claims !== undefined && revoked.has({ tokenHash: tokenHash(token), ...claims }) ? undefined : claims
      },
      options.requiredScope,
    ).catch((): Unchecked => ({ status: 503 }))

    requests.push({ method, path, headers, body, ...hash, ...outcome(admission), at })
    if (admission.status === 200) {
      const { clientId, scope } = admission
      const seen = { method, path, clientId, scope, tokenType: 'Bearer', body: body === '' ? undefined : body, headers }
      send(response, 200, seen)
    } else {
      if ('challenge' in admission) response.setHeader('www-authenticate', admission.challenge)
      send(response, admission.status, 'error' in admission ? { error: admission.error } : {})
    }
  }

  const server = await listenOnLoopback((request, response) => {
    // What rejects here is a peer that went away: nobody is left to be told.
    serve(request, response).catch(() => response.destroy())
  })

  return {
    url: server.url,
    requests,
    revoke: (target) => revoked.add(target),
    revokeAll: () => revoked.addAllSeen(),
    close: () => server.close(),
    [Symbol.asyncDispose]: () => server.close(),
  }
}

interface Unchecked {
  readonly status: 503
}

function outcome(
  admission: Admission | Unchecked,
): Pick<ProtectedApiRequest, 'status' | 'clientId' | 'scope' | 'error'> {
  if (!('challenge' in admission)) return admission
  const { status, error } = admission
  return { status, ...(error === undefined ? {} : { error }) }
}

function send(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}
