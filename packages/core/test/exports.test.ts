import { expect, it } from 'vitest'
import * as core from '../src/index.ts'

it('exports these names and no others', () => {
  expect(Object.keys(core).toSorted()).toEqual([
    'CallContextError',
    'OriginNotAllowedError',
    'OverloadError',
    'PathNotAllowedError',
    'ServerMetadataError',
    'TokenEndpointUnreachableError',
    'TokenRequestError',
    'TokenResponseError',
    'TokenwellError',
    'UpstreamClosedError',
    'UpstreamTimeoutError',
    'UpstreamUnreachableError',
    'authorizationCode',
    'authorize',
    'clientAssertion',
    'clientCredentials',
    'clientSecretBasic',
    'clientSecretJwt',
    'clientSecretPost',
    'createAccessToken',
    'createTokenSource',
    'createUpstream',
    'createUpstreams',
    'jwtBearer',
    'memoryTokenCache',
    'none',
    'oracleIdentityDomain',
    'privateKeyJwt',
    'refreshToken',
    'tlsClientAuth',
    'tokenExchange',
  ])
})
