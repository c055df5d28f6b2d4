import { randomUUID } from 'node:crypto'

import { SignJWT, type CryptoKey } from 'jose'

import type { ConfidentialApplication, OracleIdentityDomain } from '../src/index.ts'

export const myScopes = 'urn:opc:idm:__myscopes__'

/** An answer of the domain, of its token endpoint unless said otherwise. */
export interface OracleAnswer {
  status: number
  body: Record<string, unknown>
  headers: Headers
}

export async function postForm(
  domain: OracleIdentityDomain,
  form: Record<string, string> | string,
  headers: Record<string, string> = {},
  { send = fetch, url = domain.url }: { send?: typeof fetch; url?: string } = {},
): Promise<OracleAnswer> {
  const response = await send(`${url}/oauth2/v1/token`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/x-www-form-urlencoded;charset=UTF-8', ...headers },
    body: typeof form === 'string' ? form : new URLSearchParams(form).toString(),
  })
  return {
    status: response.status,
    body: (await response.json()) as Record<string, unknown>,
    headers: response.headers,
  }
}

export function rawBasic({ clientId, secret }: { clientId: string; secret: string }): Record<string, string> {
  return { Authorization: `Basic ${Buffer.from(`${clientId}:${secret}`).toString('base64')}` }
}

/** By form 1, for everything that the application may do. */
export function tokenBySecret(domain: OracleIdentityDomain, scope = myScopes): Promise<OracleAnswer> {
  return postForm(domain, { grant_type: 'client_credentials', scope }, rawBasic(domain.applications.confidential))
}

export interface AssertionDifference {
  header?: Record<string, unknown>
  claims?: Record<string, unknown>
  key?: CryptoKey | Uint8Array
}

/** An assertion as the documentation shows it, but for what is said to differ. */
export function signAssertion(domain: OracleIdentityDomain, difference: AssertionDifference = {}): Promise<string> {
  const { clientId, certificate, certificateAlias } = domain.applications.confidential
  const now = Math.floor(Date.now() / 1000)
  return new SignJWT({
    iss: clientId,
    sub: clientId,
    aud: [`${domain.url}/`],
    iat: now,
    exp: now + 300,
    jti: randomUUID(),
    ...difference.claims,
  })
    .setProtectedHeader({ alg: 'RS256', typ: 'JWT', kid: certificateAlias, ...difference.header })
    .sign(difference.key ?? certificate.keyPair.privateKey)
}

export function assertionForm(application: ConfidentialApplication, assertion: string): Record<string, string> {
  return {
    client_id: application.clientId,
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: assertion,
  }
}

/** By form 2. */
export async function tokenByAssertion(
  domain: OracleIdentityDomain,
  difference: AssertionDifference = {},
  form: Record<string, string> = {},
): Promise<OracleAnswer> {
  const assertion = assertionForm(domain.applications.confidential, await signAssertion(domain, difference))
  return postForm(domain, { grant_type: 'client_credentials', ...assertion, scope: myScopes, ...form })
}

/** By form 4, with a user assertion. */
export async function tokenOfUser(
  domain: OracleIdentityDomain,
  difference: AssertionDifference = {},
  scope = myScopes,
): Promise<OracleAnswer> {
  const claims = { sub: 'alice@example.com', ...difference.claims }
  return postForm(
    domain,
    {
      grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
      assertion: await signAssertion(domain, { ...difference, claims }),
      scope,
    },
    rawBasic(domain.applications.confidential),
  )
}
