import type { IncomingMessage, ServerResponse } from 'node:http'

import { clientCertificate, thumbprintOf } from '../certificates/issued-certificate.ts'
import { createTlsIdentity, type TlsOption } from '../certificates/tls-identity.ts'
import { defined } from '../defined.ts'
import { decodeUnchecked } from '../jwt/decoded-jwt.ts'
import { listenOnLoopback } from '../loopback-server.ts'
import { readBody } from '../read-body.ts'
import { admit, type Admission, type Policy } from './admit.ts'
import { createProofChecker } from './check-proof.ts'
import { createDpopNonces, type DpopNonceMode, type DpopNonces } from './dpop-nonces.ts'
import { presentedToken } from './presented-token.ts'
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
  /** The scope a token must have, several with spaces between, or a function of the path that gives it. Default: none. */
  readonly requiredScope?: string | ((path: string) => string | undefined)
  readonly introspection?: IntrospectionAccess
  /** PEM of the authority that the issuer's own certificate comes from. Default: those that Node.js trusts. */
  readonly ca?: string
  /** The header `typ` of a JWT, RFC 9068 §4; `false` takes any. Default: `at+jwt`. */
  readonly typ?: string | false
  /** Whether DPoP proofs need a nonce of the API, RFC 9449 §9. Default: `off`. */
  readonly dpopNonces?: DpopNonceMode
  /** How far a proof's `iat` may be from now, in seconds, either way. Default: 300. */
  readonly dpopWindowSeconds?: number
  /** With TLS, clients are asked for a certificate, which they may refuse and anyone may have signed. Default: false. */
  readonly tls?: TlsOption
}

/**
 * A protected API on 127.0.0.1 that checks `Bearer` and `DPoP` tokens and answers each path with a JSON of what it saw.
 * A token that is bound to a key or a certificate is taken with a proof by that key or on a connection with that
 * certificate, and not otherwise.
 */
export interface ProtectedApi extends AsyncDisposable {
  /** `http://127.0.0.1:port` or, with TLS, `https://127.0.0.1:port`. */
  readonly url: string
  /** With TLS: what clients must trust, PEM. */
  readonly ca?: string
  /** Answered requests, in the order of the answers. */
  readonly requests: readonly ProtectedApiRequest[]
  /** The nonces of DPoP proofs. */
  readonly nonces: DpopNonces
  /** Refuses a token from now on: the one with this hash (see `tokenHash`), or all that the function picks. */
  revoke(target: string | TokenMatcher): void
  /** Refuses all tokens it was shown so far, whatever it answered. Tokens it has not seen yet stay good. */
  revokeAll(): void
  /** Ends all connections at once and frees the port. Calling it again changes nothing. */
  close(): Promise<void>
}

/**
 * Starts a protected API. It answers 401 and 403 with the challenges of RFC 6750 §3 and RFC 9449 §7.1, and 503 if a token
 * cannot be checked. Rejects with a TypeError if neither `jwksUri` nor `introspection` is given.
 */
export async function createProtectedApi(options: ProtectedApiOptions): Promise<ProtectedApi> {
  const verify = createTokenVerifier(options)
  const tls = await createTlsIdentity(options.tls)
  const nonces = createDpopNonces(options.dpopNonces ?? 'off')
  const revoked = createRevocationList()
  const requests: ProtectedApiRequest[] = []
  const policy: Policy = {
    requiredScope: options.requiredScope,
    checkProof: createProofChecker(nonces, options.dpopWindowSeconds ?? 300),
    async verify(token) {
      const claims = await verify(token)
      return claims !== undefined && revoked.has({ tokenHash: tokenHash(token), ...claims }) ? undefined : claims
    },
  }

  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const at = Date.now()
    const body = (await readBody(request)).toString('utf8')
    const { method = '', url: path = '' } = request
    const { authorization, dpop, ...headers } = request.headers
    const presented = presentedToken(authorization)
    const hash = presented.token === undefined ? undefined : tokenHash(presented.token)
    if (hash !== undefined) revoked.see(hash)
    const proof = typeof dpop === 'string' ? decodeUnchecked(dpop) : undefined
    const certificate = clientCertificate(request.socket)

    const admission = await admit(request, presented, policy).catch((): Unchecked => ({ status: 503 }))
    const outcome = told(admission)
    requests.push(
      defined({
        method,
        path,
        headers,
        body,
        tokenHash: hash,
        tokenType: presented.scheme,
        proof,
        certificateThumbprint: certificate && thumbprintOf(certificate),
        ...outcome,
        at,
      }),
    )
    const nonce = presented.scheme === 'DPoP' ? nonces.answerTo(proof?.claims['nonce']) : undefined
    if (nonce !== undefined) response.setHeader('dpop-nonce', nonce)
    if (admission.status === 200) {
      const { clientId, subject, scope } = outcome
      const tokenType = presented.scheme
      send(response, 200, { method, path, clientId, subject, scope, tokenType, body: body || undefined, headers })
    } else {
      if ('challenge' in admission) response.setHeader('www-authenticate', admission.challenge)
      send(response, admission.status, 'error' in admission ? { error: admission.error } : {})
    }
  }

  const server = await listenOnLoopback(
    (request, response) => {
      // What rejects here is a peer that went away: nobody is left to be told.
      serve(request, response).catch(() => response.destroy())
    },
    { tls, clientCertificates: 'requested' },
  )

  return {
    url: server.url,
    ...(tls && { ca: tls.authority.cert }),
    requests,
    nonces,
    revoke: (target) => revoked.add(target),
    revokeAll: () => revoked.addAllSeen(),
    close: () => server.close(),
    [Symbol.asyncDispose]: () => server.close(),
  }
}

interface Unchecked {
  readonly status: 503
}

type Outcome = Pick<ProtectedApiRequest, 'status' | 'clientId' | 'subject' | 'scope' | 'error'>

function told(admission: Admission | Unchecked): Outcome {
  if (!('claims' in admission)) {
    return defined({ status: admission.status, error: 'error' in admission ? admission.error : undefined })
  }
  const { clientId, subject, scope } = admission.claims
  return defined({ status: admission.status, clientId, subject, scope })
}

function send(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}
