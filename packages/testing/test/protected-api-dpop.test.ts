import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import * as oauth from 'oauth4webapi'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'

import {
  createAuthorizationServer,
  createProtectedApi,
  type AuthorizationServer,
  type ProtectedApi,
} from '../src/index.ts'
import { ath, createProver, type Prover } from './dpop-proofs.ts'
import { basicHeader, requestToken } from './token-requests.ts'

let server: AuthorizationServer
let api: ProtectedApi
let prover: Prover
let token: string
beforeAll(async () => {
  server = await createAuthorizationServer()
  api = await createProtectedApi(server)
  prover = await createProver()
  token = await boundToken(server, prover)
})
afterAll(() => Promise.all([api.close(), server.close()]))

async function boundToken(from: AuthorizationServer, by: Prover): Promise<string> {
  const dpop = await by.prove({ htm: 'POST', htu: from.tokenEndpoint })
  const form = { scope: 'invoices:read' }
  return (await requestToken(from, form, { ...basicHeader(from.clients.basicPlain), dpop })).accessToken
}

interface Call {
  at?: ProtectedApi
  by?: Prover
  authorization?: string
  claims?: Record<string, unknown>
  header?: Record<string, unknown>
}

async function call({ at = api, by = prover, authorization = `DPoP ${token}`, claims, header }: Call = {}) {
  const aboutThis = { htm: 'GET', htu: `${at.url}/invoices/42`, ath: ath(token) }
  const dpop = await by.prove({ ...aboutThis, ...claims }, header)
  return send(authorization, dpop, at)
}

async function send(authorization: string, dpop: string | undefined, at = api) {
  const headers = { authorization, ...(dpop === undefined ? {} : { dpop }) }
  const response = await fetch(`${at.url}/invoices/42?full=1`, { headers })
  return {
    status: response.status,
    challenge: response.headers.get('www-authenticate'),
    nonce: response.headers.get('dpop-nonce'),
    body: (await response.json()) as Record<string, unknown>,
  }
}

describe('a token bound to a key', () => {
  test('is taken with a proof by the key, and both are recorded without what makes them good', async () => {
    expect(await call({ claims: { jti: 'the-jti' } })).toMatchObject({
      status: 200,
      nonce: null,
      body: { tokenType: 'DPoP', clientId: 'orders-plain', scope: 'invoices:read' },
    })
    const record = api.requests.at(-1)
    expect(record).toMatchObject({
      status: 200,
      tokenType: 'DPoP',
      proof: { header: { alg: 'ES256' }, claims: { jti: 'the-jti', htm: 'GET', ath: ath(token) } },
    })
    expect(record?.headers).not.toHaveProperty('dpop')
  })

  test.each(['RS256', 'PS384', 'ES512', 'EdDSA'])('is taken with a proof by %s', async (algorithm) => {
    const by = await createProver(algorithm)
    const bound = await boundToken(server, by)
    expect((await call({ by, authorization: `dpop ${bound}`, claims: { ath: ath(bound) } })).status).toBe(200)
  })

  test('is taken from a client that does all this itself', async () => {
    const { clientId, secret } = server.clients.basic
    const client: oauth.Client = { client_id: clientId }
    const options = {
      DPoP: oauth.DPoP(client, await generateKeyPair('ES256')),
      [oauth.allowInsecureRequests]: true,
    } as const
    const metadata = { issuer: server.issuer, token_endpoint: server.tokenEndpoint }
    const response = await oauth.clientCredentialsGrantRequest(
      metadata,
      client,
      oauth.ClientSecretBasic(secret),
      {},
      options,
    )
    const { access_token: accessToken } = await oauth.processClientCredentialsResponse(metadata, client, response)
    await using strict = await createProtectedApi({ ...server, dpopNonces: 'single-use' })
    const ask = () =>
      oauth.protectedResourceRequest(accessToken, 'GET', new URL(`${strict.url}/a?b`), undefined, null, options)
    await expect(ask()).rejects.toSatisfy(oauth.isDPoPNonceError)
    // The second answer names the nonce of the third request.
    expect([(await ask()).status, (await ask()).status]).toEqual([200, 200])
  })

  const algs = 'algs="RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA Ed25519"'

  test('is no bearer token', async () => {
    expect(await send(`Bearer ${token}`, undefined)).toMatchObject({
      status: 401,
      challenge: `Bearer realm="protected-api", error="invalid_token", DPoP realm="protected-api", ${algs}`,
    })
    expect((await call({ authorization: `Bearer ${token}` })).status).toBe(401)
  })

  test('is refused with a proof by another key', async () => {
    expect(await call({ by: await createProver() })).toMatchObject({
      status: 401,
      challenge: `DPoP realm="protected-api", error="invalid_token", ${algs}`,
    })
  })

  test('is refused without a proof, and with what is no proof', async () => {
    const challenge = `DPoP realm="protected-api", error="invalid_dpop_proof", ${algs}`
    for (const dpop of [undefined, 'abc', 'a.b.c']) {
      expect(await send(`DPoP ${token}`, dpop)).toMatchObject({ status: 401, challenge })
    }
    expect(api.requests.at(-1)).toMatchObject({ error: 'invalid_dpop_proof' })
  })

  test('is refused with two proofs, each of which is good', async () => {
    const claims = { htm: 'GET', htu: `${api.url}/invoices/42`, ath: ath(token) }
    const both = `${await prover.prove(claims)}, ${await prover.prove(claims)}`
    expect(await send(`DPoP ${token}`, both)).toMatchObject({ status: 401, body: { error: 'invalid_dpop_proof' } })
  })

  test('is refused with a scope too few, in its own scheme', async () => {
    await using narrow = await createProtectedApi({ ...server, requiredScope: 'invoices:write' })
    expect(await call({ at: narrow })).toMatchObject({
      status: 403,
      challenge: expect.stringMatching(/^DPoP .*error="insufficient_scope", scope="invoices:write"/),
    })
  })

  test('is checked by introspection when it is opaque', async () => {
    await using opaque = await createAuthorizationServer({ accessTokenFormat: 'opaque' })
    await using introspecting = await createProtectedApi(opaque)
    const bound = await boundToken(opaque, prover)
    const ours = { at: introspecting, authorization: `DPoP ${bound}`, claims: { ath: ath(bound) } }
    expect((await call(ours)).status).toBe(200)
    expect((await call({ ...ours, by: await createProver() })).status).toBe(401)
    expect((await call({ ...ours, authorization: `Bearer ${bound}` })).status).toBe(401)
  })
})

test('a token that is not bound is refused with a proof', async () => {
  const { accessToken } = await requestToken(server)
  const unbound = { authorization: `DPoP ${accessToken}`, claims: { ath: ath(accessToken) } }
  expect(await call(unbound)).toMatchObject({ status: 401, body: { error: 'invalid_token' } })
})

test('malformed credentials are answered in their scheme', async () => {
  expect(await send('DPoP a b', undefined)).toMatchObject({
    status: 400,
    challenge: expect.stringMatching(/^DPoP .*error="invalid_request"/),
  })
})

describe('a proof', () => {
  const now = () => Math.floor(Date.now() / 1000)
  const goodClaims = () => ({ htm: 'GET', htu: `${api.url}/invoices/42`, ath: ath(token), jti: 'a', iat: now() })

  test.each<[string, Record<string, unknown>]>([
    ['for another method', { htm: 'POST' }],
    ['whose method is in lower case', { htm: 'get' }],
    ['for another path', { htu: 'http://127.0.0.1/invoices/42' }],
    ['for no address', { htu: 'invoices' }],
    ['without an address', { htu: undefined }],
    ['for another token', { ath: ath('other') }],
    ['for no token', { ath: undefined }],
    ['without jti', { jti: undefined }],
    ['whose jti is empty', { jti: '' }],
    ['without iat', { iat: undefined }],
    ['that is too old', { iat: now() - 400 }],
    ['that is of the future', { iat: now() + 400 }],
    ['with a nonce that nobody gave', { nonce: 'mine' }],
  ])('%s is refused', async (_name, claims) => {
    expect(await call({ claims })).toMatchObject({ status: 401, body: { error: 'invalid_dpop_proof' } })
  })

  test.each<[string, () => Promise<Record<string, unknown>>]>([
    ['of another type', async () => ({ typ: 'JWT' })],
    ['without a key', async () => ({ jwk: undefined })],
    ['with another key', async () => ({ jwk: await exportJWK((await generateKeyPair('ES256')).publicKey) })],
    ['with what is no key', async () => ({ jwk: { kty: 'EC', crv: 'P-256', x: 'AA', y: 'AA' } })],
    ['with a key of another curve', async () => ({ jwk: await exportJWK((await generateKeyPair('ES384')).publicKey) })],
    ['with a key of another kind', async () => ({ jwk: await exportJWK((await generateKeyPair('RS256')).publicKey) })],
  ])('%s is refused', async (_name, header) => {
    const outcome = await call({ header: await header() })
    expect(outcome).toMatchObject({ status: 401, body: { error: 'invalid_dpop_proof' } })
  })

  test('that shows its private key is refused', async () => {
    const { privateKey } = await generateKeyPair('ES256', { extractable: true })
    const dpop = await new SignJWT(goodClaims())
      .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk: await exportJWK(privateKey) })
      .sign(privateKey)
    expect(await send(`DPoP ${token}`, dpop)).toMatchObject({ body: { error: 'invalid_dpop_proof' } })
  })

  test('by a shared secret is refused', async () => {
    const secret = new TextEncoder().encode('a secret of at least thirty-two bytes')
    const jwk = { kty: 'oct', k: Buffer.from(secret).toString('base64url') }
    const dpop = await new SignJWT(goodClaims()).setProtectedHeader({ alg: 'HS256', typ: 'dpop+jwt', jwk }).sign(secret)
    expect(await send(`DPoP ${token}`, dpop)).toMatchObject({ body: { error: 'invalid_dpop_proof' } })
  })

  test('is taken once', async () => {
    const dpop = await prover.prove({ htm: 'GET', htu: `${api.url}/invoices/42`, ath: ath(token) })
    expect((await send(`DPoP ${token}`, dpop)).status).toBe(200)
    expect(await send(`DPoP ${token}`, dpop)).toMatchObject({ status: 401, body: { error: 'invalid_dpop_proof' } })
    const otherKey = await createProver()
    const sameJti = { jti: JSON.parse(Buffer.from(dpop.split('.')[1] ?? '', 'base64url').toString()).jti as string }
    const bound = await boundToken(server, otherKey)
    const theirs = { by: otherKey, authorization: `DPoP ${bound}`, claims: { ath: ath(bound), ...sameJti } }
    expect((await call(theirs)).status).toBe(200)
  })

  test('may name the address with a query, and escaped more than is needed', async () => {
    const { host } = new URL(api.url)
    for (const htu of [
      `HTTP://${host}/%69nvoices/42`,
      `${api.url}/invoices/42?other=1#top`,
      `${api.url}/./invoices/42`,
    ]) {
      expect((await call({ claims: { htu } })).status).toBe(200)
    }
  })

  test('may be as old as the API says', async () => {
    await using strict = await createProtectedApi({ ...server, dpopWindowSeconds: 5 })
    expect((await call({ at: strict, claims: { iat: now() - 3 } })).status).toBe(200)
    expect((await call({ at: strict, claims: { iat: now() - 10 } })).status).toBe(401)
  })
})

describe('with nonces', () => {
  let strict: ProtectedApi
  beforeEach(async () => {
    strict = await createProtectedApi({ ...server, dpopNonces: 'required' })
    return () => strict.close()
  })
  const withNonce = (nonce?: string) => call({ at: strict, ...(nonce === undefined ? {} : { claims: { nonce } }) })
  const challenged = { status: 401, challenge: expect.stringMatching(/^DPoP .*error="use_dpop_nonce"/) }

  test('a proof without one is told the nonce, and a proof with it is taken again and again', async () => {
    const refused = await withNonce()
    expect(refused).toMatchObject({ ...challenged, nonce: strict.nonces.current })
    expect(strict.requests.at(-1)).toMatchObject({ error: 'use_dpop_nonce', status: 401 })
    expect(await withNonce(refused.nonce ?? '')).toMatchObject({ status: 200, nonce: null })
    expect(await withNonce(refused.nonce ?? '')).toMatchObject({ status: 200, nonce: null })
  })

  test('an older one is refused with the newer', async () => {
    const old = strict.nonces.current
    const current = strict.nonces.rotate()
    expect(current).not.toBe(old)
    expect(await withNonce(old)).toMatchObject({ ...challenged, nonce: current })
  })

  test('an older one that is kept is taken, and the answer names the newer', async () => {
    const old = strict.nonces.current
    const current = strict.nonces.rotate({ keepOld: true })
    expect(await withNonce(old)).toMatchObject({ status: 200, nonce: current })
  })

  test('one that is good once is followed by another in the answer', async () => {
    strict.nonces.mode = 'single-use'
    const first = strict.nonces.current
    const answer = await withNonce(first)
    expect(answer).toMatchObject({ status: 200, nonce: strict.nonces.current })
    expect(await withNonce(first)).toMatchObject(challenged)
    expect((await withNonce(answer.nonce ?? '')).status).toBe(200)
  })

  test('those of another API are refused', async () => {
    await using other = await createProtectedApi({ ...server, dpopNonces: 'required' })
    expect(await withNonce(other.nonces.current)).toMatchObject(challenged)
  })

  test('bearer tokens are told no nonce', async () => {
    const { accessToken } = await requestToken(server)
    expect(await send(`Bearer ${accessToken}`, undefined, strict)).toMatchObject({ status: 200, nonce: null })
  })
})
