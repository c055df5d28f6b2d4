import type { CertificateAuthority } from '../certificates/certificate-authority.ts'
import type { TlsOption } from '../certificates/tls-identity.ts'
import type { RecordedRequest } from '../scripted-server/recorded-request.ts'
import type { OracleApplication, ReadyApplications } from './application.ts'
import type { OracleConsent } from './authorization-codes.ts'

/** Options of `createOracleIdentityDomain`. */
export interface OracleIdentityDomainOptions {
  /** What metadata and tokens name: what many domains have in common, or the domain's own URL. Default: `generic`. */
  readonly issuer?: 'generic' | 'own'
  /** Applications besides the ready ones. Default: none. */
  readonly applications?: readonly OracleApplication[]
  /** Default: `alice@example.com`. */
  readonly users?: readonly string[]
  /** Shows the signing key to anyone. Default: false, it needs an access token. */
  readonly publicKeys?: boolean
  /** Default: plain HTTP, and then there is no secure domain. */
  readonly tls?: TlsOption
}

/** A request as the domain got it, secrets and all, and what came of it. */
export interface OracleRequest extends RecordedRequest {
  /** Each header line as it was sent, but for white space around the value. */
  readonly headerLines: readonly string[]
  /** SHA-256 thumbprint of the client's certificate in base64url; only the secure domain sees one. */
  readonly certificateThumbprint?: string
  /** HTTP status of the answer. */
  readonly status: number
  /** The answer's error code. */
  readonly error?: string
  /** The answer's `ecid`. */
  readonly ecid?: string
}

/** A double of an Oracle identity domain on 127.0.0.1, which refuses what Oracle's documentation does not show. */
export interface OracleIdentityDomain extends AsyncDisposable {
  /** The domain URL, without a slash at the end. */
  readonly url: string
  readonly issuer: string
  /** The conforming document. */
  readonly metadataUrl: string
  /** The older document, whose endpoints are nested. */
  readonly idcsMetadataUrl: string
  readonly tokenEndpoint: string
  readonly userinfoEndpoint: string
  readonly jwksUri: string
  readonly applications: ReadyApplications
  /** Answered requests of every path, in the order of the answers. */
  readonly requests: readonly OracleRequest[]
  /** An authorization code, as if a user had consented in a browser; good for a minute. Throws a TypeError for unknown names. */
  issueAuthorizationCode(consent: OracleConsent): string
  /** Ends all connections at once and frees the ports. Calling it again changes nothing. */
  close(): Promise<void>
}

/** An identity domain with TLS, and so with a secure domain besides. */
export interface TlsOracleIdentityDomain extends OracleIdentityDomain {
  /** PEM; what clients must trust. */
  readonly ca: string
  /** Whose client certificates the secure domain takes. */
  readonly certificateAuthority: CertificateAuthority
  /** The secure domain's URL: the same endpoints, for connections with a client certificate only. */
  readonly secureUrl: string
}
