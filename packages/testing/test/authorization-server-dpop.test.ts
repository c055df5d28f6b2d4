import { decodeJwt, generateKeyPair } from 'jose'
import * as oauth from 'oauth4webapi'
import { afterAll, beforeAll, expect, test } from 'vitest'

import { createAuthorizationServer, type AuthorizationServer } from '../src/index.ts'
import { createProver } from './dpop-proofs.ts'
import { basicHeader, requestToken } from './token-requests.ts'

let server: AuthorizationServer
beforeAll(async () => {
  server = await createAuthorizationServer()
})
afterAll(() => server.close())

const request = (dpop: string, client = server.clients.basicPlain) =>
  requestToken(server, {}, { ...basicHeader(client), dpop })
const aboutThis = () => ({ htm: 'POST', htu: server.tokenEndpoint })

test.each(['ES256', 'RS256', 'PS512', 'EdDSA'])('a proof by %s binds the token to its key', async (algorithm) => {
  const prover = await createProver(algorithm)
  const { body, accessToken } = await request(await prover.prove(aboutThis()))
  expect(body['token_type']).toBe('DPoP')
  expect(decodeJwt(accessToken)['cnf']).toEqual({ jkt: prover.jkt })
})

test('a proof is recorded without its signature', async () => {
  const prover = await createProver()
  const proof = await prover.prove({ ...aboutThis(), jti: 'the-jti' })
  await request(proof)
  const record = server.tokenRequests.at(-1)
  expect(record?.dpopProof).toMatchObject({
    header: { typ: 'dpop+jwt', alg: 'ES256', jwk: { kty: 'EC' } },
    claims: { htm: 'POST', htu: server.tokenEndpoint, jti: 'the-jti' },
  })
  expect(JSON.stringify(record)).not.toContain(proof.split('.')[2])
})

test('a proof is accepted once', async () => {
  const proof = await (await createProver()).prove(aboutThis())
  expect((await request(proof)).status).toBe(200)
  expect((await request(proof)).status).toBe(400)
})

test.each([
  ['for another method', { htm: 'GET' }],
  ['for another address', { htu: 'http://127.0.0.1/token' }],
])('a proof %s is refused', async (_name, difference) => {
  const proof = await (await createProver()).prove({ ...aboutThis(), ...difference })
  expect((await request(proof)).body).toMatchObject({ error: 'invalid_dpop_proof' })
})

test('a client whose tokens are always bound gets none without a proof', async () => {
  const { dpop } = server.clients
  expect((await requestToken(server, {}, basicHeader(dpop))).body).toMatchObject({ error: 'invalid_grant' })
  expect((await request(await (await createProver()).prove(aboutThis()), dpop)).body['token_type']).toBe('DPoP')
})

test('a nonce can be required, which a client learns from the refusal', async () => {
  await using strict = await createAuthorizationServer({ requireDpopNonce: true })
  const metadata = { issuer: strict.issuer, token_endpoint: strict.tokenEndpoint }
  const { clientId, secret } = strict.clients.basicPlain
  const client: oauth.Client = { client_id: clientId }
  const proofs = oauth.DPoP(client, await generateKeyPair('ES256'))
  const ask = async () => {
    const response = await oauth.clientCredentialsGrantRequest(
      metadata,
      client,
      oauth.ClientSecretBasic(secret),
      {},
      { DPoP: proofs, [oauth.allowInsecureRequests]: true },
    )
    return oauth.processClientCredentialsResponse(metadata, client, response)
  }
  await expect(ask()).rejects.toSatisfy(oauth.isDPoPNonceError)
  expect(strict.tokenRequests.at(-1)).toMatchObject({ status: 400, error: 'use_dpop_nonce' })
  expect(await ask()).toMatchObject({ token_type: 'dpop' })
})

test('a nonce that the server did not give is refused with one that it gives', async () => {
  const proof = await (await createProver()).prove({ ...aboutThis(), nonce: 'mine' })
  const { body, nonce } = await request(proof)
  expect(body).toMatchObject({ error: 'use_dpop_nonce' })
  expect(nonce).toMatch(/^[\w-]{20,}$/)
})
