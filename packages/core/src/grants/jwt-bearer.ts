import type { CallContext } from '../context/call-context.ts'
import { keyAssertionSigner, withAssertionDefaults, type KeyAssertionOptions } from '../credentials/key-assertion.ts'
import type { SigningKeySource } from '../credentials/signing-key-reader.ts'
import type { AssertionDefaults } from '../oauth/client-auth.ts'
import { accessParameters, type AccessOptions, type Contextual } from './access-options.ts'
import { grantSecretReader, type GrantSecret } from './grant-secret.ts'
import type { Grant } from './grant.ts'
import {
  assertSameSubject,
  subjectByAssertion,
  subjectByClaims,
  subjectByName,
  subjectName,
  subjectOfNobodyElse,
  type SubjectKey,
} from './subject.ts'

/** Options of {@link jwtBearer} for an assertion that somebody else made. */
export interface JwtBearerOptions extends Omit<AccessOptions, 'audience'> {
  /** The assertion: a text is sent as it is each time, a function is called for each sending, a file read. */
  readonly assertion: GrantSecret
  /**
   * Whose token it is, in the token key, as a hash: for an assertion from a function or a file. Without it such a grant shares no
   * token with another one. Default for a text: all that the assertion says but `exp`, `iat`, `nbf` and `jti`.
   */
  readonly subject?: Contextual<string> | undefined
  readonly key?: undefined
}

/** Options of {@link jwtBearer} for an assertion that is signed here. */
export interface SignedJwtBearerOptions extends Omit<AccessOptions, 'audience'>, KeyAssertionOptions {
  /** PEM text, JWK, `CryptoKey`, `KeyObject`, what signs elsewhere, `{ file }` or a function, as for `privateKeyJwt`. */
  readonly key: SigningKeySource
  /** The `sub` claim: in whose name the token is asked for. */
  readonly subject: Contextual<string>
  /** The `iss` claim. Default: the client id. */
  readonly issuer?: string | undefined
  /** Further claims, all of which are in the token key. Those that RFC 7523 §3 defines are refused, but for `nbf`. */
  readonly claims?: Readonly<Record<string, unknown>> | undefined
  readonly assertion?: undefined
}

const ownClaims = ['iss', 'sub', 'aud', 'exp', 'iat', 'jti']

/**
 * The JWT bearer grant (RFC 7523 §2.1): a signed assertion says in whose name the service asks. Given by somebody else, or signed
 * here with a private key, anew for each sending.
 *
 * Throws a `TypeError` for a wrong option; no message tells anything of key or assertion. With a function or a file that has
 * none it is the token request that fails.
 */
export function jwtBearer(options: JwtBearerOptions | SignedJwtBearerOptions): Grant {
  const { key, assertion } = options
  if ((key === undefined) === (assertion === undefined)) {
    throw new TypeError('jwtBearer: assertion: either this or key must be given')
  }
  return Object.freeze({
    type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
    ...(options.key === undefined ? given(options) : signed(options)),
  })
}

function given(options: JwtBearerOptions): Omit<Grant, 'type'> {
  const { assertion, subject, scope, resource, authorizationDetails, parameters } = options
  const read = grantSecretReader('jwtBearer: assertion', assertion)
  const key = subjectOf(assertion, subject)
  return {
    ...accessParameters({ scope, resource, authorizationDetails, parameters }, key),
    credentials: async (request) => {
      const context = typeof subject === 'function' ? request.context : undefined
      if (typeof key === 'function') assertSameSubject('jwtBearer', request.parameters.subject, key(context ?? {}))
      return { parameters: [['assertion', await read({ ...request, context })]] }
    },
  }
}

function subjectOf(assertion: GrantSecret, subject: Contextual<string> | undefined): Contextual<SubjectKey> {
  if (subject !== undefined) return subjectByName('jwtBearer: subject', subject)
  return typeof assertion === 'string' ? subjectByAssertion(assertion) : subjectOfNobodyElse()
}

function signed(options: SignedJwtBearerOptions): Omit<Grant, 'type'> {
  const { key, subject, issuer, scope, resource, authorizationDetails, parameters, audience } = options
  if (issuer !== undefined && (typeof issuer !== 'string' || issuer === '')) {
    throw new TypeError('jwtBearer: issuer: expected a non-empty string')
  }
  const signer = keyAssertionSigner('jwtBearer', key, options, 'JWT')
  const claims = readClaims(options.claims)
  const nameIn = (context: CallContext) => subjectName('jwtBearer: subject', subject, context)
  const keyIn = (context: CallContext) =>
    subjectByClaims({ ...claims, iss: issuer ?? null, sub: nameIn(context), aud: audience ?? 'issuer' })
  const subjectKey = typeof subject === 'function' ? keyIn : keyIn({})
  return {
    ...accessParameters({ scope, resource, authorizationDetails, parameters }, subjectKey),
    needsIssuer: signer.needsIssuer,
    credentials: async ({
      issuer: server = '',
      tokenEndpoint,
      clientId,
      signal,
      context = {},
      parameters: planned,
    }) => {
      if (typeof subject === 'function') assertSameSubject('jwtBearer', planned.subject, keyIn(context))
      const { assertion } = await signer.sign({
        server: { issuer: server, token_endpoint: tokenEndpoint },
        issuer: issuer ?? clientId,
        subject: nameIn(context),
        claims,
        fresh: false,
        signal,
      })
      return { parameters: [['assertion', assertion]] }
    },
    withDefaults: (defaults: AssertionDefaults) => jwtBearer(withAssertionDefaults(options, defaults)),
  }
}

function readClaims(claims: SignedJwtBearerOptions['claims'] = {}): Record<string, unknown> {
  if (typeof claims !== 'object' || claims === null) throw new TypeError('jwtBearer: claims: expected an object')
  const own = ownClaims.find((name) => Object.hasOwn(claims, name))
  if (own !== undefined)
    throw new TypeError(`jwtBearer: claims.${own}: has an option of its own or is not yours to set`)
  // A copy: what the caller does to the object later changes no assertion.
  return JSON.parse(JSON.stringify(claims)) as Record<string, unknown>
}
