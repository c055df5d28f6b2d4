import type { CertificateAuthority } from '../certificates/certificate-authority.ts'
import type { TlsOption } from '../certificates/tls-identity.ts'
import type { IntrospectionAccess } from '../protected-api/verify-token.ts'
import type { CertificateClients } from './certificate-clients.ts'
import type { ClientDefinition } from './client-definition.ts'
import type { AccessTokenConsent, CodeConsent, Consent } from './consent.ts'
import type { ReadyClients } from './ready-clients.ts'
import type { TokenRequestListener, TokenRequestRecord } from './token-request-record.ts'

/** Options of `createAuthorizationServer`. */
export interface AuthorizationServerOptions {
  /** Clients besides the ready ones. Default: none. */
  readonly clients?: readonly ClientDefinition[]
  /** Scopes that exist. Default: `invoices:read`, `invoices:write`, `profile:read`. */
  readonly scopes?: readonly string[]
  /** Life of an access token, in whole seconds above 0. Default: 3600. */
  readonly lifetimeSeconds?: number
  /** Default: `jwt`. */
  readonly accessTokenFormat?: 'opaque' | 'jwt'
  /** Audience of a token when the request names no `resource`; an absolute URI. Default: `https://api.example.com`. */
  readonly audience?: string
  /** Whether a refresh token is good once only. Default: true. */
  readonly rotateRefreshTokens?: boolean
  /** Answers a DPoP proof without a nonce `use_dpop_nonce`, RFC 9449 §8. Default: false. */
  readonly requireDpopNonce?: boolean
  /** How long the token endpoint waits before it answers, in milliseconds. Default: 0. */
  readonly delayMs?: number
  /** Port on 127.0.0.1. Default: 0, a free one. */
  readonly port?: number
  /** Default: plain HTTP, and then no client can authenticate by a certificate. */
  readonly tls?: TlsOption
  /**
   * With TLS, where clients are asked for a certificate, which they may refuse: at a port of its own, named by
   * `mtls_endpoint_aliases` (RFC 8705 §5), or at the ordinary one without any alias. Default: `alias`.
   */
  readonly mtlsEndpoint?: 'alias' | 'ordinary'
}

/** A real authorization server in this process, on 127.0.0.1. */
export interface AuthorizationServer extends AsyncDisposable {
  readonly issuer: string
  readonly tokenEndpoint: string
  /** OpenID Connect Discovery document. */
  readonly metadataUrl: string
  /** The same document where RFC 8414 §3 has it. */
  readonly oauthMetadataUrl: string
  readonly jwksUri: string
  /** What a protected API needs to introspect opaque tokens (RFC 7662); JWTs are refused there. */
  readonly introspection: IntrospectionAccess
  readonly clients: ReadyClients
  /** Answered token requests, in the order of the answers. */
  readonly tokenRequests: readonly TokenRequestRecord[]
  /** Token requests that have arrived, answered or not. */
  readonly tokenRequestCount: number
  /** Calls `listener` for each token request that arrives from now on; returns what removes it. */
  onTokenRequest(listener: TokenRequestListener): () => void
  /** A user's access token, as a client gets it that the user logged in with; no token request is counted. */
  issueAccessToken(consent: AccessTokenConsent): Promise<string>
  /** An authorization code, as if a user had consented in a browser; good for a minute. */
  issueAuthorizationCode(consent: CodeConsent): Promise<string>
  /** A refresh token of such a consent; good for a day. */
  issueRefreshToken(consent: Consent): Promise<string>
  /** Ends all connections at once and frees the ports. Calling it again changes nothing. */
  close(): Promise<void>
}

/** An authorization server with TLS. */
export interface TlsAuthorizationServer extends AuthorizationServer {
  /** PEM; what clients must trust. */
  readonly ca: string
  /** Whose client certificates `tls_client_auth` takes. */
  readonly certificateAuthority: CertificateAuthority
  /** Where clients are asked for a certificate. */
  readonly mtlsTokenEndpoint: string
  readonly certificateClients: CertificateClients
}
