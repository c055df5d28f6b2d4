import { expect, it } from 'vitest'
import * as core from '../src/index.ts'

it('exports these names and no others', () => {
  expect(Object.keys(core).toSorted()).toEqual([
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
    'authorize',
    'clientCredentials',
    'clientSecretBasic',
    'clientSecretPost',
    'createAccessToken',
    'createTokenSource',
    'createUpstream',
    'createUpstreams',
    'memoryTokenCache',
    'privateKeyJwt',
  ])
})
