import { createHash, randomBytes } from 'node:crypto'

import { createRemoteJWKSet, decodeJwt, generateKeyPair, jwtVerify, SignJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { createAuthorizationServer, type AuthorizationServer } from '../src/index.ts'
import { createProver } from './dpop-proofs.ts'
import { basicHeader, requestToken } from './token-requests.ts'

let server: AuthorizationServer
beforeAll(async () => {
  server = await createAuthorizationServer()
})
afterAll(() => server.close())

const callback = 'https://orders.example.com/callback'

describe('authorization_code', () => {
  const redeem = (code: string, form: Record<string, string> = {}, headers = basicHeader(server.clients.basic)) =>
    requestToken(server, { grant_type: 'authorization_code', code, redirect_uri: callback, ...form }, headers)
  const consent = { clientId: 'orders-basic', subject: 'alice' }

  test('a code becomes a token of the user and a refresh token', async () => {
    const { status, body, accessToken } = await redeem(await server.issueAuthorizationCode(consent))
    expect([status, body['refresh_token']]).toEqual([200, expect.any(String)])
    expect(decodeJwt(accessToken)).toMatchObject({
      sub: 'alice',
      client_id: 'orders-basic',
      aud: 'https://api.example.com',
      scope: 'invoices:read invoices:write profile:read',
    })
  })

  test('the consent can be for less, and for another resource', async () => {
    const less = { ...consent, scope: 'invoices:read', resource: 'https://other.example.com' }
    const { accessToken } = await redeem(await server.issueAuthorizationCode(less))
    expect(decodeJwt(accessToken)).toMatchObject({ aud: 'https://other.example.com', scope: 'invoices:read' })
  })

  test('a code is good once, and another try takes its refresh token back', async () => {
    const code = await server.issueAuthorizationCode(consent)
    const first = await redeem(code)
    expect((await redeem(code)).body).toMatchObject({ error: 'invalid_grant' })
    const form = { grant_type: 'refresh_token', refresh_token: String(first.body['refresh_token']) }
    expect((await requestToken(server, form)).body).toMatchObject({ error: 'invalid_grant' })
  })

  test('a code is refused for another client, and for another redirect URI', async () => {
    const plain = basicHeader(server.clients.basicPlain)
    expect((await redeem(await server.issueAuthorizationCode(consent), {}, plain)).status).toBe(400)
    const other = { redirect_uri: 'https://orders.example.com/other' }
    expect((await redeem(await server.issueAuthorizationCode(consent), other)).status).toBe(400)
  })

  test('a client that does not authenticate redeems a code with its verifier only', async () => {
    const verifier = randomBytes(32).toString('base64url')
    const codeChallenge = createHash('sha256').update(verifier).digest('base64url')
    const own = { clientId: 'orders-public', subject: 'alice', codeChallenge }
    const form = { client_id: 'orders-public' }
    expect((await redeem(await server.issueAuthorizationCode(own), form, {})).status).toBe(400)
    const proven = { ...form, code_verifier: verifier }
    expect((await redeem(await server.issueAuthorizationCode(own), proven, {})).status).toBe(200)
  })

  test('there is no code for a client that does not exist', async () => {
    await expect(server.issueAuthorizationCode({ clientId: 'nobody', subject: 'alice' })).rejects.toThrow(TypeError)
  })
})

describe("a user's access token", () => {
  const consent = { clientId: 'orders-public', subject: 'alice', scope: 'profile:read' }

  test('is as a redeemed code gives it, without a token request', async () => {
    const before = server.tokenRequestCount
    const accessToken = await server.issueAccessToken({ ...consent, resource: 'https://orders.example.com' })
    const { payload, protectedHeader } = await jwtVerify(accessToken, createRemoteJWKSet(new URL(server.jwksUri)))
    expect(protectedHeader).toMatchObject({ typ: 'at+jwt', alg: 'ES256' })
    expect(payload).toMatchObject({
      iss: server.issuer,
      sub: 'alice',
      client_id: 'orders-public',
      aud: 'https://orders.example.com',
      scope: 'profile:read',
    })
    expect(payload.exp).toBe(payload.iat! + 3600)
    expect(server.tokenRequestCount).toBe(before)
  })

  test('may have expired', async () => {
    const { exp, iat } = decodeJwt(await server.issueAccessToken({ ...consent, lifetimeSeconds: -60 }))
    expect(exp).toBe(iat! - 60)
  })

  test('is not for a client that does not exist', async () => {
    await expect(server.issueAccessToken({ ...consent, clientId: 'nobody' })).rejects.toThrow(TypeError)
  })
})

describe('refresh_token', () => {
  const refresh = (from: AuthorizationServer, token: unknown, form: Record<string, string> = {}) =>
    requestToken(from, { grant_type: 'refresh_token', refresh_token: String(token), ...form })
  const consent = { clientId: 'orders-basic', subject: 'alice', scope: 'invoices:read invoices:write' }

  test('a token is good once and comes with the next one', async () => {
    const first = await server.issueRefreshToken(consent)
    const { body, accessToken } = await refresh(server, first)
    expect(decodeJwt(accessToken)).toMatchObject({ sub: 'alice', scope: 'invoices:read invoices:write' })
    expect(body['refresh_token']).not.toBe(first)
    expect((await refresh(server, body['refresh_token'])).status).toBe(200)
  })

  test('using one again takes the next one back', async () => {
    const first = await server.issueRefreshToken(consent)
    const { body } = await refresh(server, first)
    expect((await refresh(server, first)).body).toMatchObject({ error: 'invalid_grant' })
    expect((await refresh(server, body['refresh_token'])).body).toMatchObject({ error: 'invalid_grant' })
  })

  test('the scope can be narrowed and not widened', async () => {
    const narrowed = await refresh(server, await server.issueRefreshToken(consent), { scope: 'invoices:read' })
    expect(decodeJwt(narrowed.accessToken)['scope']).toBe('invoices:read')
    const widened = await refresh(server, await server.issueRefreshToken(consent), { scope: 'profile:read' })
    expect(widened.body).toMatchObject({ error: 'invalid_scope' })
  })

  test('without rotation a token stays good', async () => {
    await using steady = await createAuthorizationServer({ rotateRefreshTokens: false })
    const token = await steady.issueRefreshToken(consent)
    for (let count = 0; count < 2; count += 1) {
      expect((await refresh(steady, token)).body).toMatchObject({ refresh_token: token })
    }
  })
})

describe('jwt-bearer', () => {
  const sign = (claims: object = {}, key = server.clients.basicWithKey.signingKey.privateKey) => {
    const now = Math.floor(Date.now() / 1000)
    const { clientId, signingKey } = server.clients.basicWithKey
    return new SignJWT({ iss: clientId, sub: 'alice', aud: server.issuer, exp: now + 60, ...claims })
      .setProtectedHeader({ alg: 'ES256', kid: signingKey.kid })
      .sign(key)
  }
  const ask = (assertion: string, headers = basicHeader(server.clients.basicWithKey)) =>
    requestToken(
      server,
      { grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', assertion, scope: 'invoices:read' },
      headers,
    )

  test('an assertion of the client becomes a token of the user', async () => {
    const { status, body, accessToken } = await ask(await sign({ aud: [server.tokenEndpoint] }))
    expect([status, body['scope']]).toEqual([200, 'invoices:read'])
    expect(body).not.toHaveProperty('refresh_token')
    expect(decodeJwt(accessToken)).toMatchObject({ sub: 'alice', client_id: 'orders-with-key', scope: 'invoices:read' })
    expect(server.tokenRequests.at(-1)?.assertion?.claims).toMatchObject({ sub: 'alice' })
  })

  test('a proof binds the token', async () => {
    const prover = await createProver()
    const dpop = await prover.prove({ htm: 'POST', htu: server.tokenEndpoint })
    const headers = { ...basicHeader(server.clients.basicWithKey), dpop }
    const { accessToken, body } = await ask(await sign(), headers)
    expect([decodeJwt(accessToken)['cnf'], body['token_type']]).toEqual([{ jkt: prover.jkt }, 'DPoP'])
    expect((await ask(await sign(), headers)).body).toMatchObject({ error: 'invalid_grant' })
  })

  test.each([
    ['for another server', { aud: 'https://login.example.org' }],
    ['of another issuer', { iss: 'orders-basic' }],
    ['that has expired', { exp: 1 }],
    ['without exp', { exp: undefined }],
    ['without sub', { sub: undefined }],
    ['that is not good yet', { nbf: Math.floor(Date.now() / 1000) + 600 }],
  ])('an assertion %s is refused', async (_name, claims) => {
    expect((await ask(await sign(claims))).body).toMatchObject({ error: 'invalid_grant' })
  })

  test('an assertion by another key is refused, and so is every one of a client without keys', async () => {
    const { privateKey } = await generateKeyPair('ES256')
    expect((await ask(await sign({}, privateKey))).body).toMatchObject({ error: 'invalid_grant' })
    const keyless = await ask(await sign({ iss: 'orders-plain' }), basicHeader(server.clients.basicPlain))
    expect(keyless.body).toMatchObject({ error: 'invalid_grant' })
  })

  test('what is no JWT is refused', async () => {
    expect((await ask('abc')).body).toMatchObject({ error: 'invalid_grant' })
    expect((await requestToken(server, { grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer' })).body).toEqual({
      error: 'invalid_request',
      error_description: 'assertion is missing',
    })
  })
})

describe('token-exchange', () => {
  const accessTokenType = 'urn:ietf:params:oauth:token-type:access_token'
  const exchange = (subjectToken: string, form: Record<string, string> = {}, at = server) =>
    requestToken(
      at,
      {
        grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
        subject_token: subjectToken,
        subject_token_type: accessTokenType,
        ...form,
      },
      basicHeader(at.clients.basicPlain),
    )
  const subjectToken = async (at = server) => {
    const consent = { clientId: 'orders-basic', subject: 'alice', scope: 'invoices:read profile:read' }
    const refreshToken = await at.issueRefreshToken(consent)
    return (await requestToken(at, { grant_type: 'refresh_token', refresh_token: refreshToken })).accessToken
  }

  test('the new token has the subject of the old one', async () => {
    const { status, body, accessToken } = await exchange(await subjectToken(), {
      resource: 'https://other.example.com',
      scope: 'invoices:read',
    })
    expect(status).toBe(200)
    expect(body).toMatchObject({ issued_token_type: accessTokenType, token_type: 'Bearer', scope: 'invoices:read' })
    const claims = decodeJwt(accessToken)
    expect(claims).toMatchObject({ sub: 'alice', client_id: 'orders-plain', aud: 'https://other.example.com' })
    expect(claims).not.toHaveProperty('act')
  })

  test('without a scope it has those of the old one', async () => {
    expect((await exchange(await subjectToken())).body['scope']).toBe('invoices:read profile:read')
  })

  test('it can be for an audience that is no address', async () => {
    const { accessToken } = await exchange(await subjectToken(), { audience: 'billing' })
    expect(decodeJwt(accessToken).aud).toBe('billing')
    const both = { audience: 'billing', resource: 'https://other.example.com' }
    expect((await exchange(await subjectToken(), both)).body).toMatchObject({ error: 'invalid_target' })
  })

  test('an application is a subject too, and opaque tokens are read as well', async () => {
    await using opaque = await createAuthorizationServer({ accessTokenFormat: 'opaque' })
    const ofUser = await exchange(await subjectToken(opaque), {}, opaque)
    expect(ofUser.body).toMatchObject({ scope: 'invoices:read profile:read' })
    const { accessToken } = await requestToken(server, { scope: 'invoices:write' })
    const ofApplication = await exchange(accessToken)
    expect(decodeJwt(ofApplication.accessToken)).toMatchObject({ sub: 'orders-basic', scope: 'invoices:write' })
  })

  test('a scope that the old token lacks is refused', async () => {
    const { body } = await exchange(await subjectToken(), { scope: 'invoices:write' })
    expect(body).toMatchObject({ error: 'invalid_scope', scope: 'invoices:write' })
  })

  test('a token of another server is refused, and so is what is no token', async () => {
    await using stranger = await createAuthorizationServer()
    expect((await exchange(await subjectToken(stranger))).body).toMatchObject({ error: 'invalid_request' })
    expect((await exchange('abc')).body).toMatchObject({ error: 'invalid_request' })
    const symmetric = new SignJWT({ sub: 'alice' }).setProtectedHeader({ alg: 'HS256', typ: 'at+jwt' })
    const forged = await symmetric.setIssuer(server.issuer).sign(randomBytes(32))
    expect((await exchange(forged)).body).toMatchObject({ error: 'invalid_request' })
  })

  test.each(['jwt', 'opaque'] as const)('a token that has expired is refused, %s', async (accessTokenFormat) => {
    await using brief = await createAuthorizationServer({ lifetimeSeconds: 1, accessTokenFormat })
    const token = await subjectToken(brief)
    await expect
      .poll(async () => (await exchange(token, {}, brief)).body, { interval: 100 })
      .toMatchObject({
        error: 'invalid_request',
      })
  })

  test('an ID token is no access token', async () => {
    const refreshToken = await server.issueRefreshToken({ clientId: 'orders-basic', subject: 'alice', scope: 'openid' })
    const { body } = await requestToken(server, { grant_type: 'refresh_token', refresh_token: refreshToken })
    expect((await exchange(String(body['id_token']))).body).toMatchObject({ error: 'invalid_request' })
  })

  test('a client whose tokens are always bound gets none without a proof', async () => {
    const form = {
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token: await subjectToken(),
      subject_token_type: accessTokenType,
    }
    const { body } = await requestToken(server, form, basicHeader(server.clients.dpop))
    expect(body).toMatchObject({ error: 'invalid_grant' })
  })

  test('a client gets no scope that it may not ask for', async () => {
    const client = { clientId: 'mine', method: 'client_secret_basic', secret: 's', scopes: ['invoices:read'] } as const
    await using narrow = await createAuthorizationServer({ clients: [client] })
    const form = {
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token: await subjectToken(narrow),
      subject_token_type: accessTokenType,
    }
    expect((await requestToken(narrow, form, basicHeader(client))).body).toMatchObject({ error: 'invalid_scope' })
    const less = { ...form, scope: 'invoices:read' }
    expect((await requestToken(narrow, less, basicHeader(client))).body).toMatchObject({ scope: 'invoices:read' })
  })

  test.each([
    ['an actor token', { actor_token: 'a', actor_token_type: accessTokenType }],
    ['another type of subject token', { subject_token_type: 'urn:ietf:params:oauth:token-type:id_token' }],
    ['a refresh token for it', { requested_token_type: 'urn:ietf:params:oauth:token-type:refresh_token' }],
  ])('%s is refused', async (_name, form) => {
    expect((await exchange(await subjectToken(), form)).body).toMatchObject({ error: 'invalid_request' })
  })
})
