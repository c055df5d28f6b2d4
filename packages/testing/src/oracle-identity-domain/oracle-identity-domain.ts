import type { IncomingMessage, ServerResponse } from 'node:http'

import { createCertificateAuthority, type CertificateAuthority } from '../certificates/certificate-authority.ts'
import { clientCertificate, thumbprintOf } from '../certificates/issued-certificate.ts'
import { createTlsIdentity } from '../certificates/tls-identity.ts'
import { defined } from '../defined.ts'
import { listenOnLoopback } from '../loopback-server.ts'
import { recordRequest } from '../scripted-server/recorded-request.ts'
import { answer } from './answer.ts'
import { createReadyApplications } from './application.ts'
import { createAuthorizationCodes, type OracleConsent } from './authorization-codes.ts'
import { genericIssuer, type Domain } from './domain.ts'
import type {
  OracleIdentityDomain,
  OracleIdentityDomainOptions,
  OracleRequest,
  TlsOracleIdentityDomain,
} from './options.ts'
import { createTokenSigner } from './token-signer.ts'

/** Starts a double of an Oracle identity domain. */
export async function createOracleIdentityDomain(
  options: OracleIdentityDomainOptions & { readonly tls: true | CertificateAuthority },
): Promise<TlsOracleIdentityDomain>
export async function createOracleIdentityDomain(options?: OracleIdentityDomainOptions): Promise<OracleIdentityDomain>
export async function createOracleIdentityDomain(
  options: OracleIdentityDomainOptions = {},
): Promise<OracleIdentityDomain | TlsOracleIdentityDomain> {
  const tls = await createTlsIdentity(options.tls)
  const authority = tls?.authority ?? (await createCertificateAuthority())
  const applications = await createReadyApplications(authority)
  const requests: OracleRequest[] = []

  // The issuer may name the port, so the port must be known before there is anything to answer with.
  const ready = Promise.withResolvers<Domain>()
  const serve = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    const request = await recordRequest(incoming)
    const certificate = clientCertificate(incoming.socket)
    const { status, body, error, ecid, challenge } = await answer(
      request,
      await ready.promise,
      options.publicKeys ?? false,
    )
    requests.push(
      defined({
        ...request,
        headerLines: toLines(request.rawHeaders),
        certificateThumbprint: certificate && thumbprintOf(certificate),
        status,
        error,
        ecid,
      }),
    )
    if (challenge !== undefined) response.setHeader('www-authenticate', challenge)
    response.writeHead(status, { 'content-type': 'application/json;charset=UTF-8', 'cache-control': 'no-store' })
    response.end(JSON.stringify(body))
  }
  const listen = (clientCertificates: 'ignored' | 'required') =>
    listenOnLoopback(
      (request, response) => {
        // What rejects here is a peer that went away: nobody is left to be told.
        serve(request, response).catch(() => response.destroy())
      },
      { tls, clientCertificates },
    )
  const server = await listen('ignored')
  const secureServer = tls && (await listen('required'))
  const { url } = server
  const issuer = options.issuer === 'own' ? url : genericIssuer
  const domain: Domain = {
    url,
    issuer,
    applications: new Map(
      [...Object.values(applications), ...(options.applications ?? [])].map((each) => [each.clientId, each]),
    ),
    users: new Set(options.users ?? ['alice@example.com']),
    tokens: await createTokenSigner(issuer, authority),
    codes: createAuthorizationCodes(),
    usedAssertions: new Set(),
  }
  ready.resolve(domain)
  const close = async (): Promise<void> => {
    await Promise.all([server.close(), secureServer?.close()])
  }

  return {
    url,
    issuer,
    metadataUrl: `${url}/.well-known/openid-configuration`,
    idcsMetadataUrl: `${url}/.well-known/idcs-configuration`,
    tokenEndpoint: `${url}/oauth2/v1/token`,
    userinfoEndpoint: `${url}/oauth2/v1/userinfo`,
    jwksUri: `${url}/admin/v1/SigningCert/jwk`,
    applications,
    ...(secureServer && { ca: authority.cert, certificateAuthority: authority, secureUrl: secureServer.url }),
    requests,
    issueAuthorizationCode: (consent) => issueCode(domain, consent),
    close,
    [Symbol.asyncDispose]: close,
  }
}

function issueCode({ applications, users, codes }: Domain, consent: OracleConsent): string {
  const application = applications.get(consent.clientId)
  const redirectUri = consent.redirectUri ?? application?.redirectUris?.[0]
  if (redirectUri === undefined || !application?.redirectUris?.includes(redirectUri)) {
    throw new TypeError(`${consent.clientId} has no such redirect URI`)
  }
  if (!users.has(consent.user)) throw new TypeError(`${consent.user} is no user of this domain`)
  return codes.issue(consent, redirectUri)
}

function toLines(rawHeaders: readonly string[]): string[] {
  return rawHeaders.flatMap((name, index) => (index % 2 === 0 ? [`${name}: ${rawHeaders[index + 1]}`] : []))
}
