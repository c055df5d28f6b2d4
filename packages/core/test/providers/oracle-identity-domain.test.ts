import { createOracleIdentityDomain, type OracleIdentityDomain, type OracleRequest } from '@tokenwell/testing'
import { decodeJwt, decodeProtectedHeader, exportPKCS8, jwtVerify } from 'jose'
import { generateKeyPairSync } from 'node:crypto'
import { Agent } from 'undici'
import { describe, expect, it, onTestFinished } from 'vitest'
import {
  authorizationCode,
  clientCredentials,
  clientSecretBasic,
  clientSecretPost,
  createTokenSource,
  createUpstream,
  jwtBearer,
  oracleIdentityDomain,
  privateKeyJwt,
  ServerMetadataError,
  TokenRequestError,
  type OracleIdentityDomainOptions,
} from '../../src/index.ts'
import { rejection } from '../support.ts'

const myScopes = 'urn:opc:idm:__myscopes__'
const user = 'alice@example.com'

async function startDomain(options?: Parameters<typeof createOracleIdentityDomain>[0]): Promise<OracleIdentityDomain> {
  const domain = await createOracleIdentityDomain(options)
  onTestFinished(() => domain.close())
  return domain
}

/** A domain, its confidential application with the key as PEM text, and a source of tokens from it. */
async function applicationOf(domain: OracleIdentityDomain) {
  const { applications, url: domainUrl } = domain
  const { clientId, secret, certificate, certificateAlias: alias, redirectUri } = applications.confidential
  const key = await exportPKCS8(certificate.keyPair.privateKey)
  const sourceFor = (options: Partial<OracleIdentityDomainOptions>) => {
    const clientAuth = clientSecretBasic(secret)
    const source = createTokenSource(oracleIdentityDomain({ domainUrl, clientId, clientAuth, ...options }))
    onTestFinished(() => source.close())
    return source
  }
  return { clientId, secret, certificate, alias, redirectUri, key, sourceFor }
}

async function world(options?: Parameters<typeof createOracleIdentityDomain>[0]) {
  const domain = await startDomain(options)
  return { domain, ...(await applicationOf(domain)) }
}

/** Method, path and header lines that say something of the token request, and its body. */
function written({ method, path, headerLines, text }: OracleRequest) {
  const telling = /^(?:authorization|content-type|accept|cookie|dpop): /i
  return { line: `${method} ${path}`, headers: headerLines.filter((line) => telling.test(line)).toSorted(), text }
}

const formType = 'content-type: application/x-www-form-urlencoded;charset=UTF-8'
const json = 'accept: application/json'
const line = 'POST /oauth2/v1/token'
const basicLine = (id: string, secret: string) =>
  `authorization: Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`
const lastOf = ({ requests }: OracleIdentityDomain) => requests.at(-1) ?? expect.fail('no request')

describe('the documented forms of a token request, byte for byte', () => {
  it('with the secret in the header', async () => {
    const { domain, clientId, secret, sourceFor } = await world()
    const token = await sourceFor({ scope: myScopes }).get()
    expect(domain.requests.map(({ method, path }) => `${method} ${path}`)).toEqual([
      'GET /.well-known/openid-configuration',
      line,
    ])
    expect(written(lastOf(domain))).toEqual({
      line,
      headers: [json, basicLine(clientId, secret), formType],
      text: 'grant_type=client_credentials&scope=urn%3Aopc%3Aidm%3A__myscopes__',
    })
    expect(decodeJwt(token.value)).toMatchObject({ iss: 'https://identity.oraclecloud.com/', sub: clientId })
    expect(token.scope).toBe(myScopes)
  })

  it.each([
    ['by its alias', 'kid'],
    ['by the thumbprint of the certificate', 'x5t'],
  ] as const)('with a client assertion that names its key %s', async (_name, by) => {
    const { domain, clientId, alias, certificate, key, sourceFor } = await world()
    const named = by === 'kid' ? { keyId: alias } : { x5t: { certificate: certificate.cert } }
    await sourceFor({ scope: myScopes, clientAuth: privateKeyJwt(key, named) }).get()
    const request = lastOf(domain)
    const assertion = request.form.get('client_assertion') ?? ''
    expect(written(request)).toEqual({
      line,
      headers: [json, formType],
      text:
        'grant_type=client_credentials&scope=urn%3Aopc%3Aidm%3A__myscopes__' +
        `&client_id=${clientId}&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer` +
        `&client_assertion=${assertion}`,
    })
    const { payload, protectedHeader } = await jwtVerify(assertion, certificate.keyPair.publicKey)
    expect(protectedHeader).toEqual({ alg: 'RS256', typ: 'JWT', [by]: by === 'kid' ? alias : certificate.x5t })
    expect(payload).toEqual({
      iss: clientId,
      sub: clientId,
      aud: [`${domain.url}/`],
      jti: expect.any(String) as string,
      iat: expect.any(Number) as number,
      exp: (payload.iat ?? 0) + 60,
    })
  })

  it('with the secret in the body: a code is redeemed, and the user called by the token', async () => {
    const { domain, clientId, secret, redirectUri } = await world()
    const code = domain.issueAuthorizationCode({ clientId, user })
    const upstream = createUpstream({
      baseUrl: domain.url,
      oauth: oracleIdentityDomain({
        domainUrl: domain.url,
        clientId,
        clientAuth: clientSecretPost(secret),
        grant: authorizationCode({ code, redirectUri }),
      }),
    })
    onTestFinished(() => upstream.close())
    const response = await upstream.fetch('/oauth2/v1/userinfo')
    expect([response.status, await response.json()]).toEqual([200, { sub: user, preferred_username: user }])
    expect(written(domain.requests[1] ?? expect.fail())).toEqual({
      line,
      headers: [json, formType],
      text:
        `grant_type=authorization_code&code=${code}&redirect_uri=${encodeURIComponent(redirectUri)}` +
        `&client_id=${clientId}&client_secret=${secret}`,
    })
    expect(lastOf(domain).headers.authorization).toMatch(/^Bearer eyJ/)
  })

  it.each(['in the header', 'by a client assertion'])(
    'with a user assertion, the client authenticated %s',
    async (how) => {
      const { domain, clientId, secret, alias, certificate, key, sourceFor } = await world()
      const token = await sourceFor({
        ...(how === 'in the header' ? {} : { clientAuth: privateKeyJwt(key, { keyId: alias }) }),
        grant: jwtBearer({ key, keyId: alias, subject: user, scope: myScopes }),
      }).get()
      expect(decodeJwt(token.value)).toMatchObject({ sub: user, sub_type: 'user' })
      const request = lastOf(domain)
      const assertion = request.form.get('assertion') ?? ''
      const clientAssertion = request.form.get('client_assertion') ?? ''
      const { payload, protectedHeader } = await jwtVerify(assertion, certificate.keyPair.publicKey)
      expect(protectedHeader).toEqual({ alg: 'RS256', typ: 'JWT', kid: alias })
      expect(payload).toMatchObject({ iss: clientId, sub: user, aud: [`${domain.url}/`] })
      expect(written(request)).toEqual({
        line,
        headers: how === 'in the header' ? [json, basicLine(clientId, secret), formType] : [json, formType],
        text:
          `grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=${assertion}` +
          '&scope=urn%3Aopc%3Aidm%3A__myscopes__' +
          (how === 'in the header'
            ? ''
            : `&client_id=${clientId}&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&client_assertion=${clientAssertion}`),
      })
    },
  )
})

describe('the issuer', () => {
  it('may be the domain itself, if that is stated', async () => {
    const { domain, sourceFor } = await world({ issuer: 'own' })
    const token = await sourceFor({ scope: myScopes, issuer: domain.issuer }).get()
    expect(decodeJwt(token.value).iss).toBe(domain.url)
  })

  it.each([
    ['the generic one is expected, the domain has its own', 'own', undefined],
    ['the domain is expected, which has the generic one', 'generic', 'https://idcs-0123.identity.oraclecloud.com'],
    ['a slash is missing', 'generic', 'https://identity.oraclecloud.com'],
  ] as const)('%s: the error tells both, and which option mends it', async (_name, reported, expected) => {
    const { domain, sourceFor } = await world({ issuer: reported })
    const error = await rejection(sourceFor({ scope: myScopes, issuer: expected }).get())
    expect(error).toBeInstanceOf(ServerMetadataError)
    const stated = expected ?? 'https://identity.oraclecloud.com/'
    expect((error.cause as Error).message).toBe(
      `the metadata says issuer "${domain.issuer}", oauth.issuer is "${stated}"; ` +
        'if that is the right server, set oauth.issuer to what it says',
    )
    expect(domain.requests.map(({ path }) => path)).toEqual(['/.well-known/openid-configuration'])
  })
})

describe('the domain URL', () => {
  const options = { clientId: 'a', clientAuth: clientSecretBasic('s'), scope: myScopes }

  it.each([
    'https://idcs-0123.identity.oraclecloud.com',
    'https://idcs-0123.identity.oraclecloud.com/',
    'https://idcs-0123.identity.oraclecloud.com:443',
    'https://IDCS-0123.identity.oraclecloud.com:443/',
  ])('%s leads to the metadata', (domainUrl) => {
    expect(oracleIdentityDomain({ domainUrl, ...options })).toMatchObject({
      issuer: 'https://identity.oraclecloud.com/',
      metadataUrl: 'https://idcs-0123.identity.oraclecloud.com/.well-known/openid-configuration',
    })
  })

  it('becomes the audience of assertions, without a port that is none', async () => {
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const clientAuth = privateKeyJwt(privateKey, { keyId: 'k' })
    const oauth = oracleIdentityDomain({
      ...options,
      domainUrl: 'https://idcs-0123.identity.oraclecloud.com:443',
      clientAuth,
    })
    const form = new URLSearchParams()
    await oauth.clientAuth({ issuer: '', token_endpoint: '' }, { client_id: 'a' }, form, new Headers())
    expect(decodeJwt(form.get('client_assertion') ?? '').aud).toEqual(['https://idcs-0123.identity.oraclecloud.com/'])
  })
})

describe('assertions', () => {
  it('are what the user says, where the user says something', async () => {
    const { key, certificate, alias, domain, sourceFor, clientId } = await world()
    const own = { audience: 'https://identity.oraclecloud.com/', type: 'JWT', algorithm: 'RS256' }
    const clientAuth = privateKeyJwt(key, { keyId: alias, expiresInMs: 120_000, ...own })
    await sourceFor({ scope: myScopes, clientAuth }).get()
    const { payload } = await jwtVerify(
      lastOf(domain).form.get('client_assertion') ?? '',
      certificate.keyPair.publicKey,
    )
    expect(payload).toMatchObject({ aud: 'https://identity.oraclecloud.com/', iss: clientId })
    expect((payload.exp ?? 0) - (payload.iat ?? 0)).toBe(120)

    const other = privateKeyJwt(key, { keyId: alias, type: 'client-authentication+jwt', audience: undefined })
    expect(await rejection(sourceFor({ scope: myScopes, clientAuth: other }).get())).toMatchObject({
      error: 'invalid_client',
    })
    const refused = lastOf(domain).form.get('client_assertion') ?? ''
    expect(decodeProtectedHeader(refused).typ).toBe('client-authentication+jwt')
    expect(decodeJwt(refused).aud).toEqual([`${domain.url}/`])
  })

  it('leave the method that was given as it was', async () => {
    const { key, alias, domain, clientId } = await world()
    const clientAuth = privateKeyJwt(key, { keyId: alias })
    oracleIdentityDomain({ domainUrl: domain.url, clientId, clientAuth, scope: myScopes })
    const form = new URLSearchParams()
    await clientAuth({ issuer: 'https://as.example', token_endpoint: '' }, { client_id: 'a' }, form, new Headers())
    expect(decodeJwt(form.get('client_assertion') ?? '').aud).toBe('https://as.example')
  })

  it('may name a key by what comes with it: of a JWK, a signer or a function that gives one', async () => {
    const { key, alias, certificate, domain, sourceFor } = await world()
    const { privateKey } = certificate.keyPair
    const jwk = { ...((await crypto.subtle.exportKey('jwk', privateKey)) as object), kid: alias }
    const sign = async (data: Uint8Array) =>
      new Uint8Array(await crypto.subtle.sign('RSASSA-PKCS1-v1_5', privateKey, Buffer.from(data)))
    const named = [
      privateKeyJwt(jwk),
      privateKeyJwt(() => jwk),
      privateKeyJwt({ algorithm: 'RS256', keyId: alias, sign }),
    ]
    for (const clientAuth of named) await sourceFor({ scope: myScopes, clientAuth }).get()
    expect(domain.requests.filter(({ status }) => status !== 200)).toEqual([])
    const nameless = sourceFor({ scope: myScopes, clientAuth: privateKeyJwt(() => key) })
    expect(await rejection(nameless.get())).toMatchObject({
      code: 'ERR_TOKENWELL_TOKEN_REQUEST',
      tokenEndpointStatus: undefined,
      cause: { message: 'privateKeyJwt: keyId: this or x5t must be given: the server finds the key by it' },
    })
  })
})

describe('scopes', () => {
  it('with the name of a role are given percent-encoded, which the form does once more', async () => {
    const { domain, sourceFor } = await world()
    const scope = `urn:opc:idm:role.${encodeURIComponent('User Administrator')}`
    await sourceFor({ scope }).get()
    expect(lastOf(domain).text).toBe(
      'grant_type=client_credentials&scope=urn%3Aopc%3Aidm%3Arole.User%2520Administrator',
    )
  })

  it.each<[string, Partial<OracleIdentityDomainOptions>]>([
    ['an option', { scope: myScopes }],
    ['a grant', { grant: clientCredentials({ scope: myScopes }) }],
    ['a grant by the context', { grant: clientCredentials({ scope: () => myScopes }) }],
  ])('of %s get the lifetime beside them', async (_name, options) => {
    const { domain, sourceFor } = await world()
    const token = await sourceFor({ ...options, tokenLifetimeMs: 7_200_000 }).get()
    expect(lastOf(domain).form.get('scope')).toBe(`${myScopes} urn:opc:resource:expiry=7200`)
    const { iat = 0, exp = 0 } = decodeJwt(token.value)
    expect(exp - iat).toBe(7200)
  })

  it('have it beside those of a user assertion too', async () => {
    const { domain, key, alias, sourceFor } = await world()
    const grant = jwtBearer({ key, keyId: alias, subject: user, scope: myScopes })
    await sourceFor({ grant, tokenLifetimeMs: 60_000 }).get()
    expect(lastOf(domain).form.get('scope')).toBe(`${myScopes} urn:opc:resource:expiry=60`)
  })

  it('a lifetime beside a scope that a context does not have fails the call before anything is sent', async () => {
    const { domain, sourceFor } = await world()
    const grant = clientCredentials({ scope: ({ tenant = '' }) => tenant })
    const error = await rejection(sourceFor({ grant, tokenLifetimeMs: 60_000 }).get())
    expect(error).toEqual(new TypeError('oracleIdentityDomain.tokenLifetimeMs: needs a scope beside it'))
    expect(domain.requests).toEqual([])
  })
})

it("an error keeps the ecid that Oracle's support asks for", async () => {
  const { domain, sourceFor } = await world()
  const error = await rejection(sourceFor({ scope: myScopes, clientAuth: clientSecretBasic('wrong') }).get())
  expect(error).toBeInstanceOf(TokenRequestError)
  expect(error).toMatchObject({ error: 'invalid_client', tokenEndpointStatus: 401 })
  expect((error as TokenRequestError).parameters['ecid']).toBe(lastOf(domain).ecid)
  expect(lastOf(domain).ecid).toMatch(/^[\w-]{16}$/)
})

it('the secure domain takes the secret over a connection that shows a certificate', async () => {
  const domain = await createOracleIdentityDomain({ tls: true })
  const { cert, key, x5tS256 } = await domain.certificateAuthority.issue({ commonName: 'orders', usage: 'client' })
  const dispatcher = new Agent({ connect: { ca: domain.ca, cert, key } })
  onTestFinished(async () => {
    await dispatcher.close()
    await domain.close()
  })
  const { sourceFor } = await applicationOf(domain)
  await sourceFor({ scope: myScopes, tokenEndpoint: `${domain.secureUrl}/oauth2/v1/token`, dispatcher }).get()
  expect(domain.requests).toMatchObject([{ path: '/oauth2/v1/token', status: 200, certificateThumbprint: x5tS256 }])
})

const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
const lifetime = 'expected whole seconds from 60000 to 31556952000 milliseconds'
const unnamed = 'keyId: this or x5t must be given: the server finds the key by it'

it.each<[string, object, string]>([
  ['no domain URL', { domainUrl: undefined }, 'domainUrl: expected an absolute https: URL'],
  [
    'a domain URL over http:',
    { domainUrl: 'http://idcs.example' },
    'domainUrl: http: is refused but for loopback; use https:, or set allowInsecureRequests',
  ],
  [
    'a domain URL with a path',
    { domainUrl: 'https://idcs.example/oauth2' },
    'domainUrl: expected scheme, host and port alone',
  ],
  ['scope beside grant', { grant: clientCredentials() }, 'scope: not beside grant; give it to the grant'],
  [
    'parameters beside grant',
    { grant: clientCredentials(), scope: undefined, parameters: {} },
    'parameters: not beside grant; give it to the grant',
  ],
  ['a scope that is no text', { scope: 42 }, 'scope: expected a string or an array of strings'],
  ['a lifetime below a minute', { tokenLifetimeMs: 59_000 }, `tokenLifetimeMs: ${lifetime}`],
  ['a lifetime above a year', { tokenLifetimeMs: 31_556_953_000 }, `tokenLifetimeMs: ${lifetime}`],
  ['a lifetime of half a second more', { tokenLifetimeMs: 60_500 }, `tokenLifetimeMs: ${lifetime}`],
  ['a lifetime alone', { tokenLifetimeMs: 60_000, scope: undefined }, 'tokenLifetimeMs: needs a scope beside it'],
  [
    'a lifetime beside one',
    { tokenLifetimeMs: 60_000, scope: 'a urn:opc:resource:expiry=60' },
    'tokenLifetimeMs: not beside a scope that says the same',
  ],
  ['a key without a name', { clientAuth: privateKeyJwt(rsa) }, `clientAuth.privateKeyJwt: ${unnamed}`],
  [
    'a file without a name',
    { clientAuth: privateKeyJwt({ file: '/run/secrets/key.pem' }) },
    `clientAuth.privateKeyJwt: ${unnamed}`,
  ],
  [
    'a user assertion without a name of its key',
    { grant: jwtBearer({ key: rsa, subject: 'a' }), scope: undefined },
    `grant.jwtBearer: ${unnamed}`,
  ],
  [
    'a key for another algorithm',
    { clientAuth: privateKeyJwt(ec, { keyId: 'k' }) },
    'clientAuth.privateKeyJwt: algorithm: expected one of ES256 for this key, not RS256',
  ],
  [
    'an option of another kind of server',
    { metadataUrl: 'https://a.example' },
    'metadataUrl: there is no such option; there are domainUrl, clientId, clientAuth, issuer, scope, parameters, tokenLifetimeMs, tokenEndpoint, grant, cache, renewal, timeoutMs, dispatcher, allowInsecureRequests, clock',
  ],
])('%s is a TypeError that names the option', (_name, changes, message) => {
  const domainUrl = 'https://idcs-0123.identity.oraclecloud.com'
  const options = { domainUrl, clientId: 'a', clientAuth: clientSecretBasic('s'), scope: myScopes, ...changes }
  expect(() => oracleIdentityDomain(options as OracleIdentityDomainOptions)).toThrow(
    new TypeError(`oracleIdentityDomain.${message}`),
  )
})

it.each([60_000, 31_556_952_000])('a lifetime of %d ms is taken', (tokenLifetimeMs) => {
  const domainUrl = 'https://idcs-0123.identity.oraclecloud.com'
  const { grant } = oracleIdentityDomain({
    domainUrl,
    clientId: 'a',
    clientAuth: clientSecretBasic('s'),
    scope: myScopes,
    tokenLifetimeMs,
  })
  expect(grant?.parameters(undefined).scope).toContain(`urn:opc:resource:expiry=${tokenLifetimeMs / 1000}`)
})
