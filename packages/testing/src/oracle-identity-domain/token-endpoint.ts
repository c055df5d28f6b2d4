import type { RecordedRequest } from '../scripted-server/recorded-request.ts'
import type { OracleApplication, OracleGrant } from './application.ts'
import { authenticateApplication } from './authenticate-application.ts'
import { genericIssuer, type Domain } from './domain.ts'
import { grantScope } from './grant-scope.ts'
import { badRequest } from './oracle-error.ts'
import type { TokenContents } from './token-signer.ts'
import { AssertionError, verifyAssertion } from './verify-assertion.ts'

const defaultLifetimeSeconds = 3600

/** The successful answer of a token request. Rejects with an OracleError. */
export async function answerTokenRequest(request: RecordedRequest, domain: Domain): Promise<object> {
  checkForm(request)
  const application = await authenticateApplication(request, domain)
  const contents = await grantByType(request.form, application, domain)
  return {
    access_token: await domain.tokens.issue(contents),
    token_type: 'Bearer',
    expires_in: contents.lifetimeSeconds,
  }
}

function checkForm({ headers, form }: RecordedRequest): void {
  const [type] = headers['content-type']?.split(';', 1) ?? []
  if (type?.trim().toLowerCase() !== 'application/x-www-form-urlencoded') {
    throw badRequest('invalid_request', 'the body is not a form')
  }
  const names = [...form.keys()]
  if (new Set(names).size < names.length) throw badRequest('invalid_request', 'a parameter stands there twice')
}

async function grantByType(
  form: URLSearchParams,
  application: OracleApplication,
  domain: Domain,
): Promise<TokenContents> {
  const grantType = form.get('grant_type')
  if (grantType === null) throw badRequest('invalid_request', 'grant_type is missing')
  if (!isGrant(grantType)) throw badRequest('unsupported_grant_type', 'this grant does not exist')
  if (application.grants?.includes(grantType) === false) {
    throw badRequest('unauthorized_client', 'the application may not use this grant')
  }

  if (grantType === 'client_credentials') {
    return { application, lifetimeSeconds: defaultLifetimeSeconds, ...grantScope(form.get('scope'), application) }
  }
  if (grantType === 'authorization_code') {
    const { user, scope } = domain.codes.redeem(form, application)
    return { application, user, scope, audience: [genericIssuer], lifetimeSeconds: defaultLifetimeSeconds }
  }
  const user = await verifyUserAssertion(form.get('assertion') ?? '', application, domain)
  return {
    application,
    user: user.name,
    lifetimeSeconds: user.lifetimeSeconds,
    ...grantScope(form.get('scope'), application),
  }
}

const grants: readonly string[] = [
  'client_credentials',
  'authorization_code',
  'urn:ietf:params:oauth:grant-type:jwt-bearer',
] satisfies OracleGrant[]

function isGrant(name: string): name is OracleGrant {
  return grants.includes(name)
}

async function verifyUserAssertion(
  assertion: string,
  application: OracleApplication,
  domain: Domain,
): Promise<{ name: string; lifetimeSeconds: number }> {
  try {
    const { sub = '', exp = 0 } = await verifyAssertion(assertion, application, domain)
    if (!domain.users.has(sub)) throw new AssertionError('sub is no user of this domain')
    // Without an expiry scope the token lives as long as the assertion, within the limits of any token.
    const remaining = Math.floor(exp - Date.now() / 1000)
    return { name: sub, lifetimeSeconds: Math.min(defaultLifetimeSeconds, Math.max(60, remaining)) }
  } catch (error) {
    if (error instanceof AssertionError) throw badRequest('invalid_grant', `assertion: ${error.message}`)
    throw error
  }
}
