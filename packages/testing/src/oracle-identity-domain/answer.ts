import { randomBytes } from 'node:crypto'

import type { RecordedRequest } from '../scripted-server/recorded-request.ts'
import type { Domain } from './domain.ts'
import { idcsConfiguration, openidConfiguration } from './metadata.ts'
import { OracleError } from './oracle-error.ts'
import { answerTokenRequest } from './token-endpoint.ts'

/** What the domain answers, always as JSON. */
export interface OracleAnswer {
  readonly status: number
  readonly body: object
  /** The error's code. */
  readonly error?: string
  /** Names this answer to Oracle's support; only errors have one. */
  readonly ecid?: string
  /** The value of `WWW-Authenticate`. */
  readonly challenge?: string
}

/** Answers one request. `publicKeys` says whether the signing key is shown without a token. */
export async function answer(request: RecordedRequest, domain: Domain, publicKeys: boolean): Promise<OracleAnswer> {
  const [path] = request.path.split('?', 1)
  switch (`${request.method} ${path}`) {
    case 'GET /.well-known/openid-configuration':
      return { status: 200, body: openidConfiguration(domain) }
    case 'GET /.well-known/idcs-configuration':
      return { status: 200, body: idcsConfiguration(domain) }
    case 'POST /oauth2/v1/token':
      return answerTokenRequest(request, domain).then(
        (body) => ({ status: 200, body }),
        (error: unknown) => toAnswer(error, request),
      )
    case 'GET /oauth2/v1/userinfo':
    case 'POST /oauth2/v1/userinfo':
      return userinfo(request, domain)
    case 'GET /admin/v1/SigningCert/jwk': {
      if (!publicKeys && (await bearer(request, domain)) === undefined) return invalidToken()
      return { status: 200, body: { keys: [domain.tokens.publicJwk] } }
    }
    default:
      return refused(404, 'not_found', 'there is nothing here')
  }
}

async function userinfo(request: RecordedRequest, domain: Domain): Promise<OracleAnswer> {
  const claims = await bearer(request, domain)
  if (claims?.['sub_type'] !== 'user') return invalidToken()
  return { status: 200, body: { sub: claims.sub, preferred_username: claims.sub } }
}

async function bearer({ headers }: RecordedRequest, domain: Domain) {
  const token = /^bearer (\S+)$/i.exec(headers.authorization ?? '')?.[1]
  return token === undefined ? undefined : domain.tokens.read(token)
}

function toAnswer(error: unknown, { headers }: RecordedRequest): OracleAnswer {
  if (!(error instanceof OracleError)) throw error
  const refusal = refused(error.status, error.code, error.message)
  const challenged = error.status === 401 && headers.authorization !== undefined
  return challenged ? { ...refusal, challenge: 'Basic realm="identity domain"' } : refusal
}

function invalidToken(): OracleAnswer {
  const refusal = refused(401, 'invalid_token', 'the access token is missing or not good')
  return { ...refusal, challenge: 'Bearer realm="identity domain", error="invalid_token"' }
}

function refused(status: number, error: string, description: string): OracleAnswer {
  const ecid = randomBytes(12).toString('base64url')
  return { status, error, ecid, body: { error, error_description: description, ecid } }
}
