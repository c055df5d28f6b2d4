import { generateKeyPair, importPKCS8 } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { createOracleIdentityDomain, type OracleIdentityDomain } from '../src/index.ts'
import {
  assertionForm,
  myScopes,
  postForm,
  rawBasic,
  signAssertion,
  tokenByAssertion,
  tokenBySecret,
  tokenOfUser,
  type AssertionDifference,
} from './oracle-requests.ts'

let domain: OracleIdentityDomain
beforeAll(async () => {
  domain = await createOracleIdentityDomain({
    applications: [
      { clientId: 'narrow', secret: 'narrow', grants: ['authorization_code'] },
      { clientId: 'native', secret: 'native', type: 'mobile' },
    ],
  })
})
afterAll(() => domain.close())

const now = () => Math.floor(Date.now() / 1000)
const refusal = (status: number, error: string) => ({
  status,
  body: { error, error_description: expect.any(String), ecid: expect.any(String) },
})
const invalidClient = refusal(401, 'invalid_client')
const form = { grant_type: 'client_credentials', scope: myScopes }

// What is wrong with a client assertion is wrong with a user assertion as well.
const wrong: [string, () => Promise<AssertionDifference> | AssertionDifference][] = [
  [
    'by PS256',
    async () => {
      const { key } = domain.applications.confidential.certificate
      return { header: { alg: 'PS256' }, key: await importPKCS8(key, 'PS256') }
    },
  ],
  [
    'by RS512',
    async () => {
      const { key } = domain.applications.confidential.certificate
      return { header: { alg: 'RS512' }, key: await importPKCS8(key, 'RS512') }
    },
  ],
  [
    'by HS256 and the secret',
    () => ({ header: { alg: 'HS256' }, key: Buffer.from(domain.applications.confidential.secret) }),
  ],
  ['by another key', async () => ({ key: (await generateKeyPair('RS256')).privateKey })],
  ['of the type that RFC 7523 now asks for', () => ({ header: { typ: 'client-authentication+jwt' } })],
  ['without a type', () => ({ header: { typ: undefined } })],
  ['without kid and x5t', () => ({ header: { kid: undefined } })],
  ['with an unknown kid', () => ({ header: { kid: 'other' } })],
  ['with an unknown x5t', () => ({ header: { kid: undefined, x5t: 'AAAA' } })],
  ['whose kid and x5t do not agree', () => ({ header: { x5t: 'AAAA' } })],
  ['of another issuer', () => ({ claims: { iss: 'other' } })],
  ['for the domain without the slash', () => ({ claims: { aud: [domain.url] } })],
  ['for the token endpoint', () => ({ claims: { aud: domain.tokenEndpoint } })],
  ['without an audience', () => ({ claims: { aud: undefined } })],
  ['without sub', () => ({ claims: { sub: undefined } })],
  ['that has expired', () => ({ claims: { exp: now() - 1 } })],
  ['without exp', () => ({ claims: { exp: undefined } })],
  ['without iat', () => ({ claims: { iat: undefined } })],
  ['of the future', () => ({ claims: { iat: now() + 600, exp: now() + 900 } })],
]

describe('a client assertion', () => {
  test.each(wrong)('%s is refused', async (_name, difference) => {
    expect(await tokenByAssertion(domain, await difference())).toMatchObject(invalidClient)
  })

  test('about somebody else is refused', async () => {
    expect(await tokenByAssertion(domain, { claims: { sub: 'other' } })).toMatchObject(invalidClient)
  })

  test('is good once', async () => {
    const assertion = assertionForm(domain.applications.confidential, await signAssertion(domain))
    expect((await postForm(domain, { ...form, ...assertion })).status).toBe(200)
    expect(await postForm(domain, { ...form, ...assertion })).toMatchObject(invalidClient)
  })

  test('without client_id beside it is refused', async () => {
    const { client_id: _, ...assertion } = assertionForm(domain.applications.confidential, await signAssertion(domain))
    expect(await postForm(domain, { ...form, ...assertion })).toMatchObject(invalidClient)
  })

  test('of another assertion type is refused', async () => {
    const type = { client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:saml2-bearer' }
    expect(await tokenByAssertion(domain, {}, type)).toMatchObject(invalidClient)
  })

  test('that is no JWT is refused', async () => {
    expect(await tokenByAssertion(domain, {}, { client_assertion: 'abc' })).toMatchObject(invalidClient)
  })
})

describe('a user assertion', () => {
  test.each(wrong)('%s is refused', async (_name, difference) => {
    const { claims, ...rest } = await difference()
    const outcome = await tokenOfUser(domain, { ...rest, claims: { sub: 'alice@example.com', ...claims } })
    expect(outcome).toMatchObject(refusal(400, 'invalid_grant'))
  })

  test('about a user who does not exist is refused', async () => {
    const outcome = await tokenOfUser(domain, { claims: { sub: 'bob@example.com' } })
    expect(outcome).toMatchObject(refusal(400, 'invalid_grant'))
  })
})

describe('an application', () => {
  test('with a wrong secret is refused, and challenged where it was sent in the header', async () => {
    const { clientId } = domain.applications.confidential
    const wrongSecret = { clientId, secret: 'wrong' }
    const inHeader = await postForm(domain, form, rawBasic(wrongSecret))
    expect(inHeader).toMatchObject(invalidClient)
    expect(inHeader.headers.get('www-authenticate')).toMatch(/^Basic /)
    const inBody = await postForm(domain, { ...form, client_id: clientId, client_secret: 'wrong' })
    expect(inBody).toMatchObject(invalidClient)
    expect(inBody.headers.get('www-authenticate')).toBeNull()
  })

  test('that does not exist is refused, and so is a request of nobody', async () => {
    expect(await postForm(domain, form, rawBasic({ clientId: 'nobody', secret: '' }))).toMatchObject(invalidClient)
    expect(await postForm(domain, form)).toMatchObject(invalidClient)
    expect(await postForm(domain, form, { Authorization: 'Basic %%%' })).toMatchObject(invalidClient)
  })

  test.each(['public', 'mobile'] as const)('that is %s gets no token', async (type) => {
    const { clientId } = domain.applications[type]
    expect(await postForm(domain, { ...form, client_id: clientId })).toMatchObject(invalidClient)
    expect(await postForm(domain, form, rawBasic({ clientId, secret: '' }))).toMatchObject(invalidClient)
    expect(await postForm(domain, form, rawBasic({ clientId, secret: 'undefined' }))).toMatchObject(invalidClient)
  })

  test('that is mobile gets no token for a secret it was given', async () => {
    expect(await postForm(domain, form, rawBasic({ clientId: 'native', secret: 'native' }))).toMatchObject(
      invalidClient,
    )
  })

  test('that authenticates in two ways is refused', async () => {
    const application = domain.applications.confidential
    const assertion = assertionForm(application, await signAssertion(domain))
    const twice = await postForm(domain, { ...form, ...assertion }, rawBasic(application))
    expect(twice).toMatchObject(refusal(400, 'invalid_request'))
  })

  test('without the grant is refused, and so is a grant that does not exist', async () => {
    const headers = rawBasic({ clientId: 'narrow', secret: 'narrow' })
    expect(await postForm(domain, form, headers)).toMatchObject(refusal(400, 'unauthorized_client'))
    const implicit = { ...form, grant_type: 'implicit' }
    expect(await postForm(domain, implicit, headers)).toMatchObject(refusal(400, 'unsupported_grant_type'))
    expect(await postForm(domain, {}, headers)).toMatchObject(refusal(400, 'invalid_request'))
  })
})

describe('a scope', () => {
  test.each([
    ['that nobody has', 'invoices:read'],
    ['of a role that the application lacks', 'urn:opc:idm:role.Security%20Administrator'],
    ['of a role whose name is not encoded', 'urn:opc:idm:role.User Administrator'],
    ['that is empty', ''],
    ['that is an expiry alone', 'urn:opc:resource:expiry=600'],
    ['with an expiry too short', `${myScopes} urn:opc:resource:expiry=59`],
    ['with an expiry too long', `${myScopes} urn:opc:resource:expiry=31556953`],
    ['with an expiry that is no number', `${myScopes} urn:opc:resource:expiry=1h`],
    ['with two expiries', `${myScopes} urn:opc:resource:expiry=60 urn:opc:resource:expiry=70`],
    ['with one too many', `${myScopes} other`],
  ])('%s is refused', async (_name, scope) => {
    expect(await tokenBySecret(domain, scope)).toMatchObject(refusal(400, 'invalid_scope'))
  })

  test('that is missing is refused', async () => {
    const outcome = await postForm(
      domain,
      { grant_type: 'client_credentials' },
      rawBasic(domain.applications.confidential),
    )
    expect(outcome).toMatchObject(refusal(400, 'invalid_scope'))
  })
})

describe('an authorization code', () => {
  const redeem = (difference: Record<string, string>) => {
    const { clientId, secret, redirectUri } = domain.applications.confidential
    return postForm(domain, {
      client_id: clientId,
      client_secret: secret,
      grant_type: 'authorization_code',
      redirect_uri: redirectUri,
      ...difference,
    })
  }
  const newCode = () => {
    const { clientId } = domain.applications.confidential
    return domain.issueAuthorizationCode({ clientId, user: 'alice@example.com' })
  }
  const invalidGrant = refusal(400, 'invalid_grant')

  test('is good once', async () => {
    const code = newCode()
    expect((await redeem({ code })).status).toBe(200)
    expect(await redeem({ code })).toMatchObject(invalidGrant)
  })

  test('is good for its application and its redirect URI only', async () => {
    expect(await redeem({ code: newCode(), redirect_uri: 'https://other.example.com' })).toMatchObject(invalidGrant)
    const other = { client_id: 'narrow', client_secret: 'narrow', code: newCode() }
    expect(await redeem(other)).toMatchObject(invalidGrant)
    expect(await redeem({ code: 'mine' })).toMatchObject(invalidGrant)
  })

  test('is not issued for unknown names', () => {
    const { clientId } = domain.applications.confidential
    const consents = [
      { clientId: 'nobody', user: 'alice@example.com' },
      { clientId, user: 'bob@example.com' },
      { clientId, user: 'alice@example.com', redirectUri: 'https://other.example.com' },
    ]
    for (const consent of consents) expect(() => domain.issueAuthorizationCode(consent)).toThrow(TypeError)
  })
})

test('what is no form is refused', async () => {
  const headers = { ...rawBasic(domain.applications.confidential), 'Content-Type': 'text/plain' }
  expect(await postForm(domain, form, headers)).toMatchObject(refusal(400, 'invalid_request'))
  const twice = 'grant_type=client_credentials&grant_type=client_credentials'
  const outcome = await postForm(domain, twice, rawBasic(domain.applications.confidential))
  expect(outcome).toMatchObject(refusal(400, 'invalid_request'))
})

test('there is nothing at other paths', async () => {
  expect((await fetch(domain.url)).status).toBe(404)
  expect((await fetch(domain.tokenEndpoint)).status).toBe(404)
})
