import type { RecordedRequest } from '../scripted-server/recorded-request.ts'
import type { OracleApplication } from './application.ts'
import type { Domain } from './domain.ts'
import { badRequest, invalidClient } from './oracle-error.ts'
import { AssertionError, verifyAssertion } from './verify-assertion.ts'

const assertionType = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

/** Finds out which confidential application asks. Rejects with an OracleError. */
export async function authenticateApplication(request: RecordedRequest, domain: Domain): Promise<OracleApplication> {
  const { form } = request
  const { authorization } = request.headers
  const [secret, assertion] = [form.get('client_secret'), form.get('client_assertion')]
  if ([authorization ?? null, secret, assertion].filter((each) => each !== null).length > 1) {
    throw badRequest('invalid_request', 'the client authenticates in more than one way')
  }
  if (assertion !== null) return byAssertion(assertion, form, domain)

  const basic = authorization === undefined ? undefined : basicCredentials(authorization)
  const clientId = basic?.clientId ?? form.get('client_id') ?? undefined
  const application = confidential(clientId, domain)
  if (application.secret !== (basic?.secret ?? secret)) {
    throw invalidClient('the secret is wrong or missing')
  }
  return application
}

async function byAssertion(assertion: string, form: URLSearchParams, domain: Domain): Promise<OracleApplication> {
  if (form.get('client_assertion_type') !== assertionType) throw invalidClient('client_assertion_type is wrong')
  const application = confidential(form.get('client_id') ?? undefined, domain)
  try {
    const { sub } = await verifyAssertion(assertion, application, domain)
    if (sub !== application.clientId) throw new AssertionError('sub must be the client id')
  } catch (error) {
    if (error instanceof AssertionError) throw invalidClient(`client assertion: ${error.message}`)
    throw error
  }
  return application
}

function confidential(clientId: string | undefined, { applications }: Domain): OracleApplication {
  const application = applications.get(clientId ?? '')
  if (application === undefined) throw invalidClient('client_id is unknown or missing')
  if ((application.type ?? 'confidential') !== 'confidential') {
    throw invalidClient('the application is not a confidential one')
  }
  return application
}

// Without form decoding: this domain takes id and secret as they are between the colon and the ends.
function basicCredentials(authorization: string): { clientId: string; secret: string } {
  const encoded = /^basic ([A-Za-z0-9+/]+=*)$/i.exec(authorization)?.[1]
  if (encoded === undefined) throw invalidClient('the Authorization header is malformed')
  const [clientId = '', ...rest] = Buffer.from(encoded, 'base64').toString('utf8').split(':')
  return { clientId, secret: rest.join(':') }
}
