import { randomBytes, randomUUID } from 'node:crypto'

import type { CertificateAuthority } from '../certificates/certificate-authority.ts'
import type { IssuedCertificate } from '../certificates/issued-certificate.ts'

/** Grants of an application, by their names on the wire. */
export type OracleGrant = 'client_credentials' | 'authorization_code' | 'urn:ietf:params:oauth:grant-type:jwt-bearer'

/** A protected resource. The domain's scope for it is its audience and one of its scope names, nothing between. */
export interface OracleResource {
  readonly audience: string
  readonly scopes: readonly string[]
}

/** An application of the identity domain. */
export interface OracleApplication {
  readonly clientId: string
  /** Only a confidential one has a secret and can ask for tokens. Default: `confidential`. */
  readonly type?: 'confidential' | 'public' | 'mobile'
  /** Any text. Default: none, then it authenticates by an assertion. */
  readonly secret?: string
  /** The certificates uploaded for its assertions, PEM, RSA. Default: none. */
  readonly certificates?: readonly { readonly alias: string; readonly cert: string }[]
  /** Default: all. */
  readonly grants?: readonly OracleGrant[]
  /** The roles it was granted, such as `User Administrator`. Default: none. */
  readonly roles?: readonly string[]
  /** Default: none. */
  readonly resources?: readonly OracleResource[]
  /** Default: none. */
  readonly redirectUris?: readonly string[]
}

/** A confidential application with all that a caller needs to act as it. */
export interface ConfidentialApplication extends OracleApplication {
  /** Letters, digits and hyphens: the same in every encoding. */
  readonly secret: string
  /** RSA, self-signed; uploaded under `certificateAlias`. */
  readonly certificate: IssuedCertificate
  /** The `kid` of assertions. */
  readonly certificateAlias: string
  readonly redirectUri: string
}

/** The applications that every identity domain has. */
export interface ReadyApplications {
  readonly confidential: ConfidentialApplication
  readonly public: OracleApplication
  readonly mobile: OracleApplication
}

/** Generates the key of the confidential application. */
export async function createReadyApplications(authority: CertificateAuthority): Promise<ReadyApplications> {
  const certificateAlias = 'orders-certificate'
  const certificate = await authority.issue({ commonName: certificateAlias, algorithm: 'RS256', selfSigned: true })
  const redirectUri = 'https://orders.example.com/callback'
  return {
    confidential: {
      clientId: randomBytes(16).toString('hex'),
      secret: randomUUID(),
      certificate,
      certificateAlias,
      certificates: [{ alias: certificateAlias, cert: certificate.cert }],
      roles: ['User Administrator', 'Audit Administrator'],
      resources: [{ audience: 'https://api.example.com/', scopes: ['invoices:read', 'invoices:write'] }],
      redirectUri,
      redirectUris: [redirectUri],
    },
    public: { clientId: randomBytes(16).toString('hex'), type: 'public' },
    mobile: { clientId: randomBytes(16).toString('hex'), type: 'mobile' },
  }
}
