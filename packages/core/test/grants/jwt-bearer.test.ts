import { generateKeyPairSync } from 'node:crypto'
import { EventEmitter } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createAuthorizationServer, tokenReply } from '@tokenwell/testing'
import { decodeJwt, decodeProtectedHeader, jwtVerify, SignJWT } from 'jose'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { mergeContexts } from '../../src/context/call-context.ts'
import type { HangUp } from '../../src/context/hang-up.ts'
import { requestContext } from '../../src/context/request-context.ts'
import {
  clientSecretBasic,
  createTokenSource,
  jwtBearer,
  memoryTokenCache,
  privateKeyJwt,
  type Grant,
  type GrantRequest,
  type JwtBearerOptions,
  type SignedJwtBearerOptions,
} from '../../src/index.ts'
import { driven, rejection, sourceAtEndpoint } from '../support.ts'

const grantType = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const pem = rsa.privateKey.export({ type: 'pkcs8', format: 'pem' })
const audience = 'https://as.example/'
const signed = (options: Partial<SignedJwtBearerOptions> = {}) =>
  jwtBearer({ key: pem, subject: 'alice', audience, ...options })

const assertionIn = ({ form }: { form: URLSearchParams }) => form.get('assertion') ?? ''

describe('an assertion that is given', () => {
  it('is sent with what the grant asks for', async () => {
    const { source, server } = await sourceAtEndpoint(undefined, {
      grant: jwtBearer({ assertion: 'a.b.c', scope: 'x', resource: 'https://api.example', parameters: { p: '1' } }),
    })
    expect((await source.get()).scope).toBe('x')
    expect([...(server.requests[0]?.form ?? [])]).toEqual([
      ['grant_type', grantType],
      ['assertion', 'a.b.c'],
      ['scope', 'x'],
      ['resource', 'https://api.example'],
      ['p', '1'],
    ])
  })

  it('comes from a function for each attempt, which is told what the attempt is for', async () => {
    const told: GrantRequest[] = []
    const assertion = vi.fn((request: GrantRequest) => {
      told.push(request)
      return `assertion ${told.length}`
    })
    const { source, server, clock } = await sourceAtEndpoint(undefined, { grant: jwtBearer({ assertion }) })
    server.respondWith({ status: 503 }, () => tokenReply())
    await driven(clock, source.get())
    expect(server.requests.map(assertionIn)).toEqual(['assertion 1', 'assertion 2'])
    expect(told).toMatchObject([
      { attempt: 1, clientId: 'orders', issuer: undefined, tokenEndpoint: `${server.url}/token`, tokenAtHand: false },
      { attempt: 2 },
    ])
    expect(told[0]?.signal).toBeInstanceOf(AbortSignal)
    await source.get({ forceRenewal: true })
    expect(told[2]).toMatchObject({ attempt: 1, tokenAtHand: true })
  })

  it.each([
    ['throws', () => Promise.reject(new Error('no assertion today')), 'no assertion today'],
    ['gives nothing', () => undefined as never, 'jwtBearer: assertion: the provider must give a non-empty string'],
    ['gives an empty one', () => '', 'jwtBearer: assertion: the provider must give a non-empty string'],
  ])('a function that %s fails the token request before anything is sent', async (_name, assertion, message) => {
    const { source, server } = await sourceAtEndpoint(undefined, { grant: jwtBearer({ assertion }) })
    expect(await rejection(source.get())).toMatchObject({
      code: 'ERR_TOKENWELL_TOKEN_REQUEST',
      tokenEndpointStatus: undefined,
      cause: { message },
    })
    expect(server.requests).toHaveLength(0)
  })
})

describe('an assertion that is signed here', () => {
  it('says in whose name the client asks, and for how long', async () => {
    const { source, server } = await sourceAtEndpoint(undefined, {
      grant: signed({ keyId: 'k1', expiresInMs: 300_000, claims: { tenant: 't1', nbf: 0 } }),
    })
    await source.get()
    const { payload, protectedHeader } = await jwtVerify(
      assertionIn(server.requests[0] ?? expect.fail()),
      rsa.publicKey,
    )
    expect(protectedHeader).toEqual({ alg: 'RS256', typ: 'JWT', kid: 'k1' })
    expect(payload).toEqual({
      iss: 'orders',
      sub: 'alice',
      aud: audience,
      tenant: 't1',
      nbf: 0,
      jti: expect.stringMatching(/^[\w-]{36}$/) as string,
      iat: expect.any(Number) as number,
      exp: (payload.iat ?? 0) + 300,
    })
  })

  it('has the issuer, typ and x5t that it is told', async () => {
    const { source, server } = await sourceAtEndpoint(undefined, {
      grant: signed({ issuer: 'https://orders.example', type: false, x5t: 'abc', audience: ['a', 'b'] }),
    })
    await source.get()
    const assertion = assertionIn(server.requests[0] ?? expect.fail())
    expect(decodeProtectedHeader(assertion)).toEqual({ alg: 'RS256', x5t: 'abc' })
    expect(decodeJwt(assertion)).toMatchObject({ iss: 'https://orders.example', aud: ['a', 'b'] })
  })

  // regressions S27, J41
  it('is a new one for each attempt, and for the one with the nonce that the server asks for', async () => {
    const { source, server, clock } = await sourceAtEndpoint(undefined, { grant: signed(), dpop: true })
    server.respondWith(
      { status: 400, headers: { 'dpop-nonce': 'n1' }, body: { error: 'use_dpop_nonce' } },
      { status: 503 },
      () => tokenReply({ tokenType: 'DPoP' }),
    )
    await driven(clock, source.get())
    const ids = server.requests.map((request) => decodeJwt(assertionIn(request)).jti)
    expect(ids).toHaveLength(3)
    expect(new Set(ids).size).toBe(3)
  })

  it('is not touched by what the caller does to the claims later', async () => {
    const claims = { roles: ['reader'] }
    const { source, server } = await sourceAtEndpoint(undefined, { grant: signed({ claims }) })
    claims.roles.push('admin')
    await source.get()
    expect(decodeJwt(assertionIn(server.requests[0] ?? expect.fail()))['roles']).toEqual(['reader'])
  })
})

describe('whose token it is', () => {
  const keyOf = (grant: Grant) => JSON.stringify(grant.parameters(undefined))
  const jwt = (claims: Record<string, unknown>) =>
    new SignJWT(claims).setProtectedHeader({ alg: 'RS256' }).sign(rsa.privateKey)

  it('is told by what an assertion says, not by when it was made', async () => {
    const stable = { iss: 'orders', sub: 'alice', aud: audience, scope: 'x' }
    const one = jwtBearer({ assertion: await jwt({ ...stable, exp: 1, iat: 1, nbf: 1, jti: '1' }) })
    const two = jwtBearer({ assertion: await jwt({ jti: '2', iat: 2, exp: 2, ...stable }) })
    expect(keyOf(one)).toBe(keyOf(two))
    for (const [name, value] of Object.entries({ iss: 'x', sub: 'bob', aud: 'x', scope: 'y', roles: ['admin'] })) {
      expect(keyOf(jwtBearer({ assertion: await jwt({ ...stable, [name]: value }) }))).not.toBe(keyOf(one))
    }
  })

  it('is told by the whole of one that cannot be read', () => {
    expect(keyOf(jwtBearer({ assertion: 'opaque' }))).toBe(keyOf(jwtBearer({ assertion: 'opaque' })))
    expect(keyOf(jwtBearer({ assertion: 'opaque' }))).not.toBe(keyOf(jwtBearer({ assertion: 'another' })))
  })

  it.each<[string, Partial<SignedJwtBearerOptions>]>([
    ['subject', { subject: 'bob' }],
    ['issuer', { issuer: 'https://orders.example' }],
    ['audience', { audience: 'https://other.example' }],
    ['claims', { claims: { roles: ['admin'] } }],
  ])('is told by the %s of one that is signed here', (_name, options) => {
    expect(keyOf(signed())).toBe(keyOf(signed()))
    expect(keyOf(signed(options))).not.toBe(keyOf(signed()))
  })

  it('is told by its name, if one was given, which is in the key as a hash', () => {
    const assertion = () => 'a.b.c'
    const named = keyOf(jwtBearer({ assertion, subject: 'alice' }))
    expect(named).toBe(keyOf(jwtBearer({ assertion, subject: 'alice' })))
    expect(named).not.toBe(keyOf(jwtBearer({ assertion, subject: 'bob' })))
    expect(named).not.toContain('alice')
  })

  // A name that looks like a hash of something else is a name.
  it('is never taken for that of another kind', () => {
    const given = jwtBearer({ assertion: 'opaque' }).parameters(undefined).subject
    const named = jwtBearer({ assertion: 'x', subject: given?.[1] ?? '' }).parameters(undefined).subject
    expect(named).not.toEqual(given)
    expect(jwtBearer({ assertion: 'x', subject: 'opaque' }).parameters(undefined).subject).not.toEqual(given)
  })

  it('without a name and a text, tokens are shared with no other grant, in whatever cache', async () => {
    const cache = memoryTokenCache()
    const unnamed = () => ({ grant: jwtBearer({ assertion: () => 'a.b.c' }), cache })
    const { source, server } = await sourceAtEndpoint(undefined, unnamed())
    const oauth = { tokenEndpoint: `${server.url}/token`, clientId: 'orders', clientAuth: clientSecretBasic('s3cret') }
    const other = createTokenSource({ ...oauth, ...unnamed() })
    onTestFinished(() => other.close())
    const tokens = [await source.get(), await source.get(), await other.get()]
    expect(tokens[0]).toBe(tokens[1])
    expect(tokens[2]?.value).not.toBe(tokens[0]?.value)
  })
})

describe('a subject that is a function of the context', () => {
  const perTenant = { subject: ({ tenant = '' }) => tenant }

  it('has a token for each, signed in its name, and one for all contexts that name the same', async () => {
    const { source, server } = await sourceAtEndpoint(undefined, { grant: signed(perTenant) })
    const contexts = [{ tenant: 'alice' }, { tenant: 'bob' }, Object.freeze({ tenant: 'alice', headers: { a: 'b' } })]
    const tokens = await Promise.all(contexts.map((context) => source.get({ context })))
    const subjects = server.requests.map((request) => decodeJwt(assertionIn(request)).sub)
    expect(subjects).toHaveLength(2)
    expect(new Set(subjects)).toEqual(new Set(['alice', 'bob']))
    expect(tokens[0]).toBe(tokens[2])
    expect(tokens[0]?.value).not.toBe(tokens[1]?.value)
    for (const context of contexts) expect(source.peek(context)).toBe(await source.get({ context }))
    expect(server.requests).toHaveLength(2)
  })

  // regressions S5
  it('lets an assertion come from the context too: each request has that of the call that started it', async () => {
    const grant = jwtBearer({
      assertion: async ({ context }) => `assertion of ${context?.subjectToken}`,
      subject: ({ subjectToken = '' }) => subjectToken,
    })
    const { source, server } = await sourceAtEndpoint(undefined, { grant })
    for (const subjectToken of ['one', 'two', 'one']) await source.get({ context: Object.freeze({ subjectToken }) })
    expect(server.requests.map(assertionIn)).toEqual(['assertion of one', 'assertion of two'])
  })

  // The plan of a token is shared by all contexts that lead to it, the context to make an assertion of is not.
  it('renews with the assertion of the call that starts the renewal, not with that of the first', async () => {
    const grant = jwtBearer({
      assertion: ({ context }) => `${context?.subjectToken}`,
      subject: ({ tenant = '' }) => tenant,
    })
    const { source, server, clock } = await sourceAtEndpoint(() => tokenReply({ expiresIn: 60 }), { grant })
    await source.get({ context: Object.freeze({ tenant: 't', subjectToken: 'morning' }) })
    await clock.advance(61_000)
    await source.get({ context: Object.freeze({ tenant: 't', subjectToken: 'noon' }) })
    expect(server.requests.map(assertionIn)).toEqual(['morning', 'noon'])
  })

  it('is told the context without the signal of the call, which the token request outlives', async () => {
    const told: GrantRequest[] = []
    const assertion = (request: GrantRequest) => {
      told.push(request)
      return 'a.b.c'
    }
    const { source } = await sourceAtEndpoint(undefined, { grant: jwtBearer({ assertion, ...perTenant }) })
    const context = { tenant: 'alice', signal: new AbortController().signal, signalAborts: 'all' as const }
    await source.get({ context })
    expect(told[0]?.context).toEqual({ tenant: 'alice' })
  })

  it('nor of the inbound caller, whose hanging up ends the call alone', async () => {
    const told: GrantRequest[] = []
    const assertion = (request: GrantRequest) => {
      told.push(request)
      return 'a.b.c'
    }
    const { source } = await sourceAtEndpoint(undefined, { grant: jwtBearer({ assertion, ...perTenant }) })
    const inbound = new EventEmitter() as unknown as ServerResponse
    const context = requestContext()({ headers: {} } as IncomingMessage, inbound)
    const merged = mergeContexts(
      undefined,
      mergeContexts(mergeContexts(undefined, context), { tenant: 'alice', deadline: 1e15 }),
    )
    await source.get({ context: merged })
    expect(Object.keys(told[0]?.context ?? {}).toSorted()).toEqual(['headers', 'log', 'subjectToken', 'tenant'])
    // No signal was made of it, which would cost more than all the rest.
    expect((merged.ending as HangUp).made).toBeUndefined()
  })

  it('a function for the assertion alone is told nothing of the call: one would get the token of another', async () => {
    const told: unknown[] = []
    const assertion = (request: GrantRequest) => {
      told.push(request.context)
      return 'a.b.c'
    }
    const scope = () => 'x'
    for (const grant of [jwtBearer({ assertion, scope }), jwtBearer({ assertion, scope, subject: 'fixed' })]) {
      const { source } = await sourceAtEndpoint(undefined, { grant })
      await source.get({ context: { subjectToken: 'of somebody' } })
    }
    expect(told).toEqual([undefined, undefined])
  })

  it.each<[string, (subject: () => string) => Grant]>([
    ['signed here', (subject) => signed({ subject })],
    ['given', (subject) => jwtBearer({ assertion: () => 'a.b.c', subject })],
  ])('that looks elsewhere than at the context gets no token in the name of another: %s', async (_name, grantOf) => {
    let current = 'alice'
    const grant = grantOf(() => current)
    const { source, server } = await sourceAtEndpoint(undefined, { grant })
    const waiting = rejection(source.get({ context: {} }))
    current = 'bob'
    const { cause } = await waiting
    expect((cause as Error | undefined)?.message).toContain('functions of the context alone')
    expect(server.requests).toHaveLength(0)
  })

  it('that gives none fails the call before anything is sent', async () => {
    const { source, server } = await sourceAtEndpoint(undefined, { grant: signed(perTenant) })
    const message = 'jwtBearer: subject: expected a non-empty string, or a function of the context that gives one'
    expect(await rejection(source.get())).toEqual(new TypeError(message))
    expect(server.requests).toHaveLength(0)
  })
})

it.each<[string, object, string]>([
  ['neither assertion nor key', {}, 'jwtBearer: assertion: either this or key must be given'],
  ['both', { assertion: 'x', key: pem }, 'jwtBearer: assertion: either this or key must be given'],
  [
    'an empty assertion',
    { assertion: '' },
    'jwtBearer: assertion: expected a non-empty string, a function that gives one, or { file }',
  ],
  [
    'an empty name',
    { assertion: () => 'x', subject: '' },
    'jwtBearer: subject: expected a non-empty string, or a function of the context that gives one',
  ],
  [
    'a key without subject',
    { key: pem },
    'jwtBearer: subject: expected a non-empty string, or a function of the context that gives one',
  ],
  [
    'a public key',
    { key: rsa.publicKey, subject: 'a' },
    'jwtBearer: key: expected a private KeyObject, got a public one',
  ],
  ['an empty issuer', { key: pem, subject: 'a', issuer: '' }, 'jwtBearer: issuer: expected a non-empty string'],
  [
    'a claim of its own',
    { key: pem, subject: 'a', claims: { sub: 's3cret-value' } },
    'jwtBearer: claims.sub: has an option of its own or is not yours to set',
  ],
  ['claims that are none', { key: pem, subject: 'a', claims: 's3cret-value' }, 'jwtBearer: claims: expected an object'],
  [
    'a life of a day',
    { key: pem, subject: 'a', expiresInMs: 86_400_000 },
    'jwtBearer: expiresInMs: expected milliseconds from 1000 to 3600000',
  ],
  [
    'a protocol parameter',
    { assertion: 'x', parameters: { assertion: 's3cret-value' } },
    "parameters.assertion: the protocol's own parameter; it has an option of its own or is not yours to set",
  ],
])('%s is a TypeError that names the option', (_name, options, message) => {
  expect(() => jwtBearer(options as JwtBearerOptions)).toThrow(new TypeError(message))
})

it('an assertion addressed to an issuer that is not known is a TypeError', () => {
  const oauth = { tokenEndpoint: 'https://as.example/token', clientId: 'orders', clientAuth: clientSecretBasic('s') }
  expect(() => createTokenSource({ ...oauth, grant: jwtBearer({ key: pem, subject: 'alice' }) })).toThrow(
    new TypeError("issuer: must be given: the grant's assertion is addressed to it"),
  )
  void createTokenSource({ ...oauth, grant: signed() }).close()
})

describe('a real authorization server', () => {
  it('issues tokens for assertions signed here, in the name that each call has, bound to a key with a nonce', async () => {
    const server = await createAuthorizationServer({ requireDpopNonce: true })
    const { clientId, privateKeyPem, kid } = server.clients.privateKeyJwt
    const source = createTokenSource({
      issuer: server.issuer,
      clientId,
      clientAuth: privateKeyJwt(privateKeyPem, { keyId: kid }),
      grant: jwtBearer({
        key: privateKeyPem,
        keyId: kid,
        subject: ({ tenant = '' }) => tenant,
        scope: 'invoices:read',
      }),
      dpop: true,
    })
    onTestFinished(async () => void (await Promise.all([server.close(), source.close()])))
    for (const tenant of ['alice', 'bob']) {
      const token = await source.get({ context: { tenant } })
      expect(decodeJwt(token.value)).toMatchObject({ sub: tenant, scope: 'invoices:read' })
      expect(token.tokenType).toBe('DPoP')
    }
    const used = server.tokenRequests.map(({ assertion }) => assertion?.claims)
    expect(used).toMatchObject([{ sub: 'alice' }, { sub: 'alice' }, { sub: 'bob' }])
    expect(used.every((claims) => claims?.['aud'] === server.issuer && claims['iss'] === clientId)).toBe(true)
    expect(new Set(used.map((claims) => claims?.['jti'])).size).toBe(used.length)
  })

  it('refuses one that somebody else signed, and the answer is an error', async () => {
    const server = await createAuthorizationServer()
    const { clientId, secret } = server.clients.basicWithKey
    const source = createTokenSource({
      issuer: server.issuer,
      clientId,
      clientAuth: clientSecretBasic(secret),
      grant: jwtBearer({ key: pem, subject: 'alice' }),
    })
    onTestFinished(async () => void (await Promise.all([server.close(), source.close()])))
    expect(await rejection(source.get())).toMatchObject({ error: 'invalid_grant', tokenEndpointStatus: 400 })
    expect(server.tokenRequestCount).toBe(1)
  })
})
