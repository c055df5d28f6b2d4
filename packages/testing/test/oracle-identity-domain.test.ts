import { once } from 'node:events'
import { connect } from 'node:net'

import { decodeJwt, decodeProtectedHeader } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { createOracleIdentityDomain, createProtectedApi, type OracleIdentityDomain } from '../src/index.ts'
import {
  assertionForm,
  myScopes,
  postForm,
  rawBasic,
  signAssertion,
  tokenByAssertion,
  tokenBySecret,
  tokenOfUser,
} from './oracle-requests.ts'
import { failureCode, tlsFetch } from './tls-fetch.ts'

let domain: OracleIdentityDomain
beforeAll(async () => {
  domain = await createOracleIdentityDomain()
})
afterAll(() => domain.close())

const accessToken = ({ body }: { body: Record<string, unknown> }) => String(body['access_token'])
const readJson = async (url: string, headers: Record<string, string> = {}) => {
  const response = await fetch(url, { headers })
  return { status: response.status, body: (await response.json()) as Record<string, unknown> }
}

describe('its metadata', () => {
  test('names the generic issuer, which is not where it is', async () => {
    const { body } = await readJson(domain.metadataUrl)
    expect(body).toMatchObject({
      issuer: 'https://identity.oraclecloud.com/',
      token_endpoint: `${domain.url}/oauth2/v1/token`,
      userinfo_endpoint: `${domain.url}/oauth2/v1/userinfo`,
      jwks_uri: `${domain.url}/admin/v1/SigningCert/jwk`,
    })
    expect(domain.metadataUrl).toBe(`${domain.url}/.well-known/openid-configuration`)
  })

  test('has an older shape with the endpoints one level down', async () => {
    const { body } = await readJson(domain.idcsMetadataUrl)
    expect(body).not.toHaveProperty('issuer')
    expect(body).not.toHaveProperty('token_endpoint')
    expect(body['openid-configuration']).toMatchObject({ token_endpoint: domain.tokenEndpoint })
  })

  test('can name the domain itself', async () => {
    await using newer = await createOracleIdentityDomain({ issuer: 'own' })
    expect((await readJson(newer.metadataUrl)).body['issuer']).toBe(newer.url)
    expect(decodeJwt(accessToken(await tokenBySecret(newer))).iss).toBe(newer.url)
  })
})

describe('the four forms of a token request', () => {
  test('a secret in the header', async () => {
    const { status, body } = await tokenBySecret(domain)
    expect([status, body]).toEqual([200, { access_token: expect.any(String), token_type: 'Bearer', expires_in: 3600 }])
  })

  test.each(['kid', 'x5t', 'kid and x5t'])('a client assertion that names its certificate by %s', async (way) => {
    const { certificate, certificateAlias } = domain.applications.confidential
    const kid = way.includes('kid') ? certificateAlias : undefined
    const x5t = way.includes('x5t') ? certificate.x5t : undefined
    expect((await tokenByAssertion(domain, { header: { kid, x5t } })).status).toBe(200)
  })

  test('a secret in the body, with an authorization code, and then the user', async () => {
    const { clientId, secret, redirectUri } = domain.applications.confidential
    const code = domain.issueAuthorizationCode({ clientId, user: 'alice@example.com' })
    const answer = await postForm(domain, {
      client_id: clientId,
      client_secret: secret,
      grant_type: 'authorization_code',
      code,
      redirect_uri: redirectUri,
    })
    expect(answer.status).toBe(200)
    const userinfo = await readJson(domain.userinfoEndpoint, { Authorization: `Bearer ${accessToken(answer)}` })
    expect(userinfo).toEqual({
      status: 200,
      body: { sub: 'alice@example.com', preferred_username: 'alice@example.com' },
    })
  })

  test.each(['secret', 'assertion'] as const)('a user assertion, with a client %s', async (way) => {
    const application = domain.applications.confidential
    const assertion = await signAssertion(domain, { claims: { sub: 'alice@example.com' } })
    const form = { grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', assertion, scope: myScopes }
    const answer =
      way === 'secret'
        ? await postForm(domain, form, rawBasic(application))
        : await postForm(domain, { ...form, ...assertionForm(application, await signAssertion(domain)) })
    expect(answer.status).toBe(200)
    expect(decodeJwt(accessToken(answer))).toMatchObject({ sub: 'alice@example.com', client_id: application.clientId })
  })

  test('the generic issuer is an audience as good as the domain', async () => {
    const aud = 'https://identity.oraclecloud.com/'
    expect((await tokenByAssertion(domain, { claims: { aud } })).status).toBe(200)
    expect((await tokenByAssertion(domain, { claims: { aud: ['https://other.example.com/', aud] } })).status).toBe(200)
  })

  test('an assertion needs no jti', async () => {
    for (let count = 0; count < 2; count += 1) {
      expect((await tokenByAssertion(domain, { claims: { jti: undefined } })).status).toBe(200)
    }
  })

  test('a form without a charset is accepted', async () => {
    const headers = {
      'Content-Type': 'application/x-www-form-urlencoded',
      ...rawBasic(domain.applications.confidential),
    }
    expect((await postForm(domain, { grant_type: 'client_credentials', scope: myScopes }, headers)).status).toBe(200)
  })
})

describe('a request', () => {
  test('is recorded byte for byte', async () => {
    const { host, port } = new URL(domain.url)
    const headerLines = [
      `Host: ${host}`,
      `AUTHORIZATION: ${rawBasic(domain.applications.confidential)['Authorization']}`,
      'content-type: application/x-www-form-urlencoded;charset=UTF-8',
      'Content-Length: 64',
      'Connection: close',
    ]
    const text = 'grant_type=client_credentials&scope=urn%3aopc%3Aidm:__myscopes__'
    const socket = connect(Number(port), '127.0.0.1')
    socket.write(`POST /oauth2/v1/token?a=%62 HTTP/1.1\r\n${headerLines.join('\r\n')}\r\n\r\n${text}`)
    await once(socket.resume(), 'close')
    const request = domain.requests.at(-1)
    expect(request).toMatchObject({ method: 'POST', path: '/oauth2/v1/token?a=%62', headerLines, text, status: 200 })
    expect(request?.body).toEqual(Buffer.from(text))
  })

  test('that fails is recorded with the number that support asks for', async () => {
    const { body } = await postForm(domain, { grant_type: 'client_credentials' })
    expect(body['ecid']).toMatch(/^[\w-]{16}$/)
    expect(domain.requests.at(-1)).toMatchObject({ status: 401, error: 'invalid_client', ecid: body['ecid'] })
    const again = await postForm(domain, { grant_type: 'client_credentials' })
    expect(again.body['ecid']).not.toBe(body['ecid'])
  })
})

describe('a secret in the header', () => {
  const secret = 'p:a%2B%s +w/ö😀'
  const application = { clientId: 'a b', secret }
  let awkward: OracleIdentityDomain
  beforeAll(async () => {
    awkward = await createOracleIdentityDomain({ applications: [{ ...application, roles: ['Reader'] }] })
  })
  afterAll(() => awkward.close())
  const ask = (credentials: { clientId: string; secret: string }) =>
    postForm(awkward, { grant_type: 'client_credentials', scope: myScopes }, rawBasic(credentials))

  test('is taken as it is, in UTF-8', async () => {
    expect((await ask(application)).status).toBe(200)
  })

  test('is not decoded', async () => {
    const encoded = { clientId: 'a%20b', secret: encodeURIComponent(secret) }
    expect((await ask(encoded)).body).toMatchObject({ error: 'invalid_client' })
    expect((await ask({ clientId: 'a+b', secret })).body).toMatchObject({ error: 'invalid_client' })
  })
})

describe('scopes', () => {
  const scopeOf = async (scope: string) => decodeJwt(accessToken(await tokenBySecret(domain, scope)))

  test('a role, whose name is encoded within its scope', async () => {
    expect(await scopeOf('urn:opc:idm:role.User%20Administrator')).toMatchObject({
      scope: 'urn:opc:idm:role.User%20Administrator',
    })
  })

  test('everything that the roles allow', async () => {
    expect(await scopeOf(myScopes)).toMatchObject({
      scope: 'urn:opc:idm:role.User%20Administrator urn:opc:idm:role.Audit%20Administrator',
    })
  })

  test('a resource, by its audience and a name in one word', async () => {
    expect(await scopeOf('https://api.example.com/invoices:read https://api.example.com/invoices:write')).toMatchObject(
      {
        aud: ['https://api.example.com/'],
        scope: 'invoices:read invoices:write',
      },
    )
  })

  test.each([60, 7200, 31_556_952])('a life of %i seconds, beside another scope', async (seconds) => {
    const { body } = await tokenBySecret(domain, `${myScopes} urn:opc:resource:expiry=${seconds}`)
    const { exp = 0, iat = 0 } = decodeJwt(String(body['access_token']))
    expect([body['expires_in'], exp - iat]).toEqual([seconds, seconds])
  })
})

describe('an access token', () => {
  test('is a JWT by RS256 of several kilobytes', async () => {
    const token = accessToken(await tokenBySecret(domain))
    expect(token.length).toBeGreaterThan(4096)
    expect(decodeProtectedHeader(token)).toMatchObject({ alg: 'RS256', kid: 'SIGNING_KEY' })
    const { clientId } = domain.applications.confidential
    expect(decodeJwt(token)).toMatchObject({
      iss: 'https://identity.oraclecloud.com/',
      sub: clientId,
      client_id: clientId,
    })
  })

  test.each([
    [600, 600],
    [10, 60],
    [86_400, 3600],
  ])('of a user assertion that lives %i s lives %i s', async (assertionLife, life) => {
    const claims = { exp: Math.floor(Date.now() / 1000) + assertionLife }
    const { body } = await tokenOfUser(domain, { claims })
    expect(body['expires_in']).toSatisfy((seconds: number) => seconds === life || seconds === life - 1)
  })

  test('of a user assertion lives as long as the scope says, if it says so', async () => {
    const { body } = await tokenOfUser(domain, {}, `${myScopes} urn:opc:resource:expiry=120`)
    expect(body['expires_in']).toBe(120)
  })

  test('opens the signing key, which is closed without one', async () => {
    const Authorization = `Bearer ${accessToken(await tokenBySecret(domain))}`
    expect(await readJson(domain.jwksUri)).toMatchObject({ status: 401, body: { error: 'invalid_token' } })
    expect(await readJson(domain.jwksUri, { Authorization: `${Authorization}x` })).toMatchObject({ status: 401 })
    const { status, body } = await readJson(domain.jwksUri, { Authorization })
    expect([status, body]).toEqual([200, { keys: [expect.objectContaining({ kty: 'RSA', kid: 'SIGNING_KEY' })] }])
    expect(JSON.stringify(body)).not.toContain('"d"')
  })

  test('is taken by a protected API once the signing key is public', async () => {
    await using open = await createOracleIdentityDomain({ publicKeys: true })
    const { issuer, jwksUri } = open
    const audience = 'https://api.example.com/'
    await using api = await createProtectedApi({
      issuer,
      jwksUri,
      audience,
      requiredScope: 'invoices:read',
      typ: false,
    })
    const token = accessToken(await tokenBySecret(open, 'https://api.example.com/invoices:read'))
    expect(await readJson(api.url, { Authorization: `Bearer ${token}` })).toMatchObject({
      status: 200,
      body: { clientId: open.applications.confidential.clientId },
    })
    const other = accessToken(await tokenBySecret(domain, 'https://api.example.com/invoices:read'))
    expect((await readJson(api.url, { Authorization: `Bearer ${other}` })).status).toBe(401)
  })

  test('of an application has no user', async () => {
    const Authorization = `Bearer ${accessToken(await tokenBySecret(domain))}`
    expect((await readJson(domain.userinfoEndpoint, { Authorization })).status).toBe(401)
    expect((await readJson(domain.userinfoEndpoint)).status).toBe(401)
  })
})

describe('with TLS', () => {
  test('the secure domain takes connections with a client certificate only', async () => {
    await using secure = await createOracleIdentityDomain({ tls: true })
    const { secureUrl: url, ca, certificateAuthority } = secure
    const form = { grant_type: 'client_credentials', scope: myScopes }
    const headers = rawBasic(secure.applications.confidential)
    const { cert, key, x5tS256 } = await certificateAuthority.issue({ commonName: 'orders', usage: 'client' })

    const answer = await postForm(secure, form, headers, { send: tlsFetch({ ca, cert, key }), url })
    expect(answer.status).toBe(200)
    expect(secure.requests.at(-1)).toMatchObject({ certificateThumbprint: x5tS256 })
    expect((await postForm(secure, form, headers, { send: tlsFetch({ ca }) })).status).toBe(200)

    const stranger = await certificateAuthority.issue({ commonName: 'orders', selfSigned: true })
    for (const own of [{}, { cert: stranger.cert, key: stranger.key }]) {
      const refused = postForm(secure, form, headers, { send: tlsFetch({ ca, ...own }), url })
      expect(await failureCode(refused)).toMatch(/^(ERR_SSL|ECONNRESET|UND_ERR_SOCKET)/)
    }
    expect(secure.requests).toHaveLength(2)
  })
})
