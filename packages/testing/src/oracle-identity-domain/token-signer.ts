import { randomUUID } from 'node:crypto'

import { errors, exportJWK, jwtVerify, SignJWT, type JWK, type JWTPayload } from 'jose'

import type { CertificateAuthority } from '../certificates/certificate-authority.ts'
import type { OracleApplication } from './application.ts'

/** What an access token says. */
export interface TokenContents {
  readonly application: OracleApplication
  /** Default: the application itself. */
  readonly user?: string | undefined
  readonly scope: string
  readonly audience: readonly string[]
  readonly lifetimeSeconds: number
}

/** Signs the access tokens of one domain and knows them again. */
export interface TokenSigner {
  readonly publicJwk: JWK
  issue(contents: TokenContents): Promise<string>
  /** What a good token says; nothing for any other. */
  read(token: string): Promise<JWTPayload | undefined>
}

/** Generates the domain's signing key, RSA. */
export async function createTokenSigner(issuer: string, authority: CertificateAuthority): Promise<TokenSigner> {
  const certificate = await authority.issue({ commonName: 'signing', algorithm: 'RS256', selfSigned: true })
  const { privateKey, publicKey } = certificate.keyPair
  const header = { alg: 'RS256', kid: 'SIGNING_KEY', x5t: certificate.x5t }
  return {
    publicJwk: { ...(await exportJWK(publicKey)), ...header, 'x5t#S256': certificate.x5tS256, use: 'sig' },
    issue: ({ application, user, scope, audience, lifetimeSeconds }) =>
      new SignJWT({
        client_id: application.clientId,
        sub_type: user === undefined ? 'client' : 'user',
        tok_type: 'AT',
        scope,
        clientAppRoles: ['Authenticated Client', ...(application.roles ?? []), ...entitlements],
      })
        .setProtectedHeader(header)
        .setIssuer(issuer)
        .setSubject(user ?? application.clientId)
        .setAudience([...audience])
        .setIssuedAt()
        .setExpirationTime(`${lifetimeSeconds}s`)
        .setJti(randomUUID())
        .sign(privateKey),
    async read(token) {
      try {
        return (await jwtVerify(token, publicKey, { issuer, algorithms: ['RS256'] })).payload
      } catch (error) {
        if (error instanceof errors.JOSEError) return undefined
        throw error
      }
    },
  }
}

// Real tokens list what the application may do, which makes them several kilobytes long.
const entitlements = Array.from({ length: 96 }, (_, index) => `urn:opc:idm:t.entitlement.of.the.application.${index}`)
