import { check, checkObject, checkUrl, inPath } from '../check-options.ts'
import { clientCredentials } from '../grants/client-credentials.ts'
import type { Grant } from '../grants/grant.ts'
import type { AssertionDefaults } from '../oauth/client-auth.ts'
import { scopeSet, type OneOrMany } from '../oauth/scope.ts'
import type { OAuthOptions } from '../options.ts'

type Common =
  | 'clientId'
  | 'clientAuth'
  | 'scope'
  | 'parameters'
  | 'grant'
  | 'cache'
  | 'renewal'
  | 'timeoutMs'
  | 'dispatcher'
  | 'allowInsecureRequests'
  | 'clock'

/** How this service gets its tokens from an Oracle identity domain. What is not said here is as in {@link OAuthOptions}. */
export interface OracleIdentityDomainOptions extends Pick<OAuthOptions, Common> {
  /** `https://idcs-….identity.oraclecloud.com`, with or without `:443` and a slash at the end. */
  readonly domainUrl: string
  /**
   * The issuer that the domain's metadata states. Default `https://identity.oraclecloud.com/`, which many domains have in common;
   * others state their own URL.
   */
  readonly issuer?: string | undefined
  /**
   * What is asked for, as a list or separated by spaces: `urn:opc:idm:__myscopes__` is all that the application may do. The name
   * of a role, or whatever else may have a space in it, is given percent-encoded. A domain grants nothing without one.
   */
  readonly scope?: OneOrMany | undefined
  /**
   * How long tokens shall live, in milliseconds: whole seconds from 60 000 to 31 556 952 000. Sent as a scope
   * (`urn:opc:resource:expiry=…`), so it needs another one beside it. Default: as the domain has it, an hour at most.
   */
  readonly tokenLifetimeMs?: number | undefined
  /** Instead of the one in the metadata, which is not asked for then: that of the domain's secure URL, for instance. */
  readonly tokenEndpoint?: string | undefined
}

const optionNames = [
  'domainUrl',
  'clientId',
  'clientAuth',
  'issuer',
  'scope',
  'parameters',
  'tokenLifetimeMs',
  'tokenEndpoint',
  'grant',
  'cache',
  'renewal',
  'timeoutMs',
  'dispatcher',
  'allowInsecureRequests',
  'clock',
]

const path = 'oracleIdentityDomain'
const genericIssuer = 'https://identity.oraclecloud.com/'
const expiryScope = 'urn:opc:resource:expiry='
const shortestSeconds = 60
// A year of the Gregorian calendar.
const longestSeconds = 31_556_952

/**
 * Options for an identity domain of Oracle Cloud, or an Oracle Identity Cloud Service: where its metadata is and which issuer that
 * states, and for assertions that are signed here, as client authentication or as a `jwtBearer` grant, the audience, `typ: JWT`
 * and `RS256` that it takes. What was given to `privateKeyJwt` and `jwtBearer` explicitly stays.
 *
 * The application must be a confidential one, and be allowed the grant that is used.
 * Throws a `TypeError` that names the option; also for an assertion that neither `keyId` nor `x5t` says the key of.
 */
export function oracleIdentityDomain(options: OracleIdentityDomainOptions): OAuthOptions {
  checkObject(options, path, optionNames)
  const { domainUrl, issuer = genericIssuer, tokenLifetimeMs, tokenEndpoint, scope, parameters, ...rest } = options
  const domain = checkUrl(domainUrl, at('domainUrl'), options.allowInsecureRequests ?? false)
  const isBare = domain.pathname === '/' && domain.search === '' && domain.hash === ''
  check(isBare, at('domainUrl'), 'expected scheme, host and port alone')
  for (const [name, value] of Object.entries({ scope, parameters })) {
    check(value === undefined || rest.grant === undefined, at(name), 'not beside grant; give it to the grant')
  }
  const defaults: AssertionDefaults = {
    audience: [`${domain.origin}/`],
    type: 'JWT',
    algorithm: 'RS256',
    keyNamed: true,
  }
  const { clientAuth, grant = inPath(path, () => clientCredentials({ scope, parameters })) } = rest
  const signing = inPath(at('grant'), () => grant.withDefaults?.(defaults) ?? grant)
  return Object.freeze({
    ...rest,
    clientAuth: inPath(at('clientAuth'), () => clientAuth?.withDefaults?.(defaults) ?? clientAuth),
    grant: tokenLifetimeMs === undefined ? signing : withLifetime(signing, tokenLifetimeMs),
    issuer,
    ...(tokenEndpoint === undefined
      ? { metadataUrl: `${domain.origin}/.well-known/openid-configuration` }
      : { tokenEndpoint }),
  })
}

function withLifetime(grant: Grant, tokenLifetimeMs: number): Grant {
  const seconds = tokenLifetimeMs / 1000
  const option = at('tokenLifetimeMs')
  const isPossible = Number.isInteger(seconds) && seconds >= shortestSeconds && seconds <= longestSeconds
  check(
    isPossible,
    option,
    `expected whole seconds from ${shortestSeconds * 1000} to ${longestSeconds * 1000} milliseconds`,
  )
  const parameters: Grant['parameters'] = (context) => {
    const asked = grant.parameters(context)
    check(asked.scope.length > 0, option, 'needs a scope beside it')
    check(!asked.scope.some((one) => one.startsWith(expiryScope)), option, 'not beside a scope that says the same')
    return Object.freeze({ ...asked, scope: scopeSet([...asked.scope, expiryScope + seconds]) })
  }
  if (!grant.contextual) parameters(undefined)
  return Object.freeze({ ...grant, parameters })
}

function at(name: string): string {
  return `${path}.${name}`
}
