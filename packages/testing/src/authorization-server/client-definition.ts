import { X509Certificate } from 'node:crypto'

import type { JWK } from 'jose'

import { confidentialGrants, publicGrants, type GrantType } from './grant-type.ts'

/** Client authentication methods that the authorization server registers clients for, by their IANA names. */
export type ClientMethod =
  | 'client_secret_basic'
  | 'client_secret_post'
  | 'client_secret_jwt'
  | 'private_key_jwt'
  | 'tls_client_auth'
  | 'self_signed_tls_client_auth'
  | 'none'

/** The one thing in a certificate by which `tls_client_auth` knows its client, RFC 8705 §2.1.2. */
export type CertificateSubject =
  | { readonly dn: string }
  | { readonly dns: string }
  | { readonly uri: string }
  | { readonly ip: string }
  | { readonly email: string }

/** A client to register, besides the ready ones. */
export interface ClientDefinition {
  /** Printable ASCII; must differ from every other client's, those of the ready ones included. */
  readonly clientId: string
  /** The two methods with TLS need a server with TLS. `none` may not be used for client credentials, RFC 6749 §4.4. */
  readonly method: ClientMethod
  /** Printable ASCII. Required by the methods whose names begin with `client_secret`. */
  readonly secret?: string
  /** Public keys only: for `private_key_jwt`, which requires them, and for the assertions of the jwt-bearer grant. */
  readonly publicJwks?: { readonly keys: readonly JWK[] }
  /** Scopes the client may ask for. Default: all of the server's; a scope that the server lacks is refused. */
  readonly scopes?: readonly string[]
  /** The only assertion algorithm accepted, such as `ES256`. Default: each that suits the method. */
  readonly algorithm?: string
  /** Default: every grant, and for `none` those two that are about users. */
  readonly grants?: readonly GrantType[]
  /** Where its authorization codes go. Default: `https://orders.example.com/callback`. */
  readonly redirectUri?: string
  /** Refuses requests without a DPoP proof, RFC 9449 §5.2. Default: false; a proof is taken in any case. */
  readonly dpopBoundTokens?: boolean
  /** Binds tokens to the client's certificate and refuses requests without one, RFC 8705 §3.4. Default: false. */
  readonly certificateBoundTokens?: boolean
  /** Required by `tls_client_auth`. */
  readonly certificateSubject?: CertificateSubject
  /** PEM. Required by `self_signed_tls_client_auth`. */
  readonly certificates?: readonly string[]
}

/** Where the code of a client goes that names no place of its own. */
const defaultRedirectUri = 'https://orders.example.com/callback'

/** RFC 7591 client metadata for the definition. Throws a TypeError for what oidc-provider would overlook. */
export function toClientMetadata(client: ClientDefinition, tls: boolean): Record<string, unknown> {
  const { clientId, method, publicJwks, certificates } = client
  const grants = client.grants ?? (method === 'none' ? publicGrants : confidentialGrants)
  if (method === 'none' && grants.includes('client_credentials')) {
    throw new TypeError(`${clientId}: a client that does not authenticate has no client credentials`)
  }
  if (client.certificateBoundTokens === true && !tls) {
    throw new TypeError(`${clientId}: certificateBoundTokens needs a server with TLS`)
  }
  return {
    client_id: clientId,
    client_secret: client.secret,
    token_endpoint_auth_method: method,
    token_endpoint_auth_signing_alg: client.algorithm,
    jwks: publicJwks ?? (certificates && { keys: certificates.map(toJwk) }),
    scope: client.scopes?.join(' '),
    grant_types: grants,
    response_types: grants.includes('authorization_code') ? ['code'] : [],
    redirect_uris: [client.redirectUri ?? defaultRedirectUri],
    dpop_bound_access_tokens: client.dpopBoundTokens,
    tls_client_certificate_bound_access_tokens: client.certificateBoundTokens,
    ...subjectMetadata(client.certificateSubject),
  }
}

function subjectMetadata(subject: CertificateSubject | undefined): Record<string, string> {
  return Object.fromEntries(
    Object.entries(subject ?? {}).map(([kind, value]) => [
      kind === 'dn' ? 'tls_client_auth_subject_dn' : `tls_client_auth_san_${kind}`,
      value,
    ]),
  )
}

// RFC 8705 §2.2.2: the certificate stands in the client's key set.
function toJwk(certificate: string): JWK {
  const { publicKey, raw } = new X509Certificate(certificate)
  return { ...(publicKey.export({ format: 'jwk' }) as JWK), x5c: [raw.toString('base64')] }
}
