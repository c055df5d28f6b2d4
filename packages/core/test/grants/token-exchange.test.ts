import { createAuthorizationServer, createProtectedApi, tokenReply } from '@tokenwell/testing'
import { SignJWT } from 'jose'
import { describe, expect, it, onTestFinished } from 'vitest'
import {
  CallContextError,
  clientSecretBasic,
  createTokenSource,
  createUpstreams,
  memoryTokenCache,
  tokenExchange,
  TokenRequestError,
  TokenResponseError,
  type CallContext,
  type TokenExchangeOptions,
} from '../../src/index.ts'
import { scripted } from '../http/support.ts'
import { rejection, sourceAtEndpoint, tokenEndpoint } from '../support.ts'

type FullReply = ReturnType<typeof tokenReply>

const type = (name: string) => `urn:ietf:params:oauth:token-type:${name}`
const ofCaller = (options: Partial<TokenExchangeOptions> = {}) =>
  tokenExchange({ subjectToken: ({ subjectToken }) => subjectToken, ...options })
const from = (subjectToken: string, more: CallContext = {}) => ({ context: Object.freeze({ subjectToken, ...more }) })
const subjectsAt = (server: { readonly requests: readonly { form: URLSearchParams }[] }) =>
  server.requests.map(({ form }) => form.get('subject_token'))

describe('what is sent', () => {
  it("is the caller's token and its type, with what the grant asks for", async () => {
    const { source, server } = await sourceAtEndpoint(undefined, {
      grant: ofCaller({ audience: 'profile', resource: 'https://api.example', scope: 'a', parameters: { p: '1' } }),
    })
    await source.get(from('s1'))
    expect([...(server.requests[0]?.form ?? [])]).toEqual([
      ['grant_type', 'urn:ietf:params:oauth:grant-type:token-exchange'],
      ['subject_token', 's1'],
      ['subject_token_type', type('access_token')],
      ['scope', 'a'],
      ['resource', 'https://api.example'],
      ['audience', 'profile'],
      ['p', '1'],
    ])
  })

  it('has the actor and the requested type, each of which may be a function of the context', async () => {
    const { source, server } = await sourceAtEndpoint(undefined, {
      grant: ofCaller({
        subjectTokenType: () => type('jwt'),
        actorToken: ({ tenant }) => `actor of ${tenant}`,
        actorTokenType: () => type('id_token'),
        requestedTokenType: () => type('jwt'),
      }),
    })
    await source.get(from('s1', { tenant: 'acme' }))
    expect([...(server.requests[0]?.form ?? [])].slice(1)).toEqual([
      ['subject_token', 's1'],
      ['subject_token_type', type('jwt')],
      ['actor_token', 'actor of acme'],
      ['actor_token_type', type('id_token')],
      ['requested_token_type', type('jwt')],
    ])
  })

  it('says that an actor token is an access token unless told otherwise', async () => {
    const grant = tokenExchange({ subjectToken: 's1', actorToken: 'a1' })
    const { source, server } = await sourceAtEndpoint(undefined, { grant })
    await source.get()
    expect(server.requests[0]?.form.get('actor_token_type')).toBe(type('access_token'))
  })
})

describe('whose token it is', () => {
  it('calls at the same time with one subject token cause one exchange, and later calls none', async () => {
    const { source, server } = await sourceAtEndpoint(undefined, { grant: ofCaller() })
    const calls = Array.from({ length: 100 }, (_, index) => source.get(from(index % 2 === 0 ? 's1' : 's2')))
    const tokens = new Set((await Promise.all(calls)).map(({ value }) => value))
    expect([tokens.size, new Set(subjectsAt(server))]).toEqual([2, new Set(['s1', 's2'])])
    expect(source.peek({ subjectToken: 's1' })?.value).toBe((await source.get(from('s1'))).value)
    expect(server.requests).toHaveLength(2)
  })

  // regressions S5
  it('another subject token of the same caller is exchanged anew', async () => {
    const { source, server } = await sourceAtEndpoint(undefined, { grant: ofCaller() })
    for (const subjectToken of ['s1', 's1, renewed', 's1']) await source.get(from(subjectToken))
    expect(subjectsAt(server)).toEqual(['s1', 's1, renewed'])
  })

  // regressions J1, J5
  it('whatever is exchanged for whatever else has a key of its own, without the tokens in it', () => {
    const options: TokenExchangeOptions[] = [
      { subjectToken: 'tok1' },
      { subjectToken: 'tok2' },
      { subjectToken: 'tok1', subjectTokenType: type('jwt') },
      { subjectToken: 'tok1', requestedTokenType: type('jwt') },
      { subjectToken: 'tok1', actorToken: 'tok2' },
      { subjectToken: 'tok2', actorToken: 'tok1' },
      { subjectToken: 'tok1', actorToken: 'tok2', actorTokenType: type('jwt') },
      { subjectToken: 'tok1', audience: 'a' },
      { subjectToken: 'tok1', resource: 'a' },
    ]
    const keys = options.map((given) => JSON.stringify(tokenExchange(given).parameters(undefined)))
    expect(new Set(keys).size).toBe(options.length)
    expect(keys.join()).not.toMatch(/tok\d/)
    const grant = ofCaller()
    expect(grant.parameters({ subjectToken: 'tok1' })).toEqual(
      tokenExchange({ subjectToken: 'tok1' }).parameters(undefined),
    )
  })

  it('a function that gives something else the second time gets no token for anybody', async () => {
    let subjectToken = 's1'
    const grant = ofCaller({ subjectToken: () => (subjectToken += ', and more') })
    const { source, server } = await sourceAtEndpoint(undefined, { grant })
    const error = await rejection(source.get({ context: {} }))
    expect((error.cause as Error).message).toContain('functions of the context alone')
    expect(server.requests).toHaveLength(0)
  })

  it('a refusal of one is not told to another, and the client stays in good standing', async () => {
    const { source, server } = await sourceAtEndpoint(undefined, { grant: ofCaller() })
    const refusals = [
      { status: 400, body: { error: 'invalid_request' } },
      { status: 400, body: { error: 'invalid_grant' } },
      { status: 401, body: { error: 'invalid_token' } },
      { status: 401, body: '' },
      { status: 401, body: { error: 'TokenExpired' } },
    ]
    for (const [index, refusal] of refusals.entries()) {
      server.respondWith(refusal, () => tokenReply())
      const refused = await rejection(source.get(from(`bad ${index}`)))
      const error = typeof refusal.body === 'string' ? undefined : refusal.body.error
      expect(refused).toMatchObject({ error, statusCode: 502, fromCache: false })
      expect(await rejection(source.get(from(`bad ${index}`)))).toMatchObject({ fromCache: true })
      await source.get(from(`good ${index}`))
    }
    expect(server.requests).toHaveLength(10)
  })

  it('a refusal of the client is told to everybody', async () => {
    const { source, server } = await sourceAtEndpoint(undefined, { grant: ofCaller() })
    server.respondWith({ status: 401, body: { error: 'invalid_client' } })
    await rejection(source.get(from('s1')))
    expect(await rejection(source.get(from('s2')))).toMatchObject({ error: 'invalid_client', fromCache: true })
    expect(server.requests).toHaveLength(1)
  })
})

describe('without a subject token', () => {
  async function atApi() {
    const server = await tokenEndpoint()
    const api = await scripted()
    const oauth = {
      tokenEndpoint: server.url,
      clientId: 'orders',
      clientAuth: clientSecretBasic('s3cret'),
      grant: ofCaller(),
    }
    const upstreams = createUpstreams({ profile: { baseUrl: api.url, oauth } })
    onTestFinished(() => upstreams.close())
    return { server, api, upstreams }
  }

  it.each([
    ['a context that lacks it: the caller must authenticate', {}, 401, { 'www-authenticate': 'Bearer' }],
    ['a context where it is empty', { subjectToken: '' }, 401, { 'www-authenticate': 'Bearer' }],
    ['no context: nobody is served, so nobody is to blame but us', undefined, 500, undefined],
  ])('nothing is sent, in each way to make a call: %s', async (_name, context, statusCode, headers) => {
    const { server, api, upstreams } = await atApi()
    const profile = context === undefined ? upstreams.profile : upstreams.with(context).profile
    const calls = [
      profile.fetch('/'),
      profile.request('/'),
      profile.dispatcher.request({ origin: api.url, path: '/', method: 'GET' }),
      profile.tokens.get(context === undefined ? {} : { context }),
    ]
    for (const call of calls) {
      const error = await rejection<unknown>(call)
      expect(error).toBeInstanceOf(CallContextError)
      expect(error).toMatchObject({
        code: 'ERR_TOKENWELL_CONTEXT',
        lacks: 'subjectToken',
        statusCode,
        upstream: 'profile',
      })
      expect((error as CallContextError).headers).toEqual(headers)
      expect(error.message).toBe('Upstream "profile": it is called on behalf of a caller, and there is no token of one')
    }
    expect([server.requests, api.requests]).toEqual([[], []])
  })

  it('warmUp leaves the upstream out, but for a context that it is called in', async () => {
    const { server, upstreams } = await atApi()
    await upstreams.warmUp()
    expect(server.requests).toHaveLength(0)
    await upstreams.run({ subjectToken: 's1' }, () => upstreams.warmUp())
    expect(subjectsAt(server)).toEqual(['s1'])
    const error = await rejection(upstreams.run({ tenant: 'acme' }, () => upstreams.warmUp()))
    expect(error).toBeInstanceOf(CallContextError)
  })

  it('an actor token that a function does not give is a mistake, not an exchange without an actor', async () => {
    const grant = ofCaller({ actorToken: ({ tenant }) => tenant as string })
    const { source, server } = await sourceAtEndpoint(undefined, { grant })
    expect(await rejection(source.get(from('s1')))).toEqual(
      new TypeError(
        'tokenExchange: actorToken: expected a non-empty string, or a function of the context that gives one',
      ),
    )
    expect(server.requests).toHaveLength(0)
  })
})

describe('where it is known when the subject token ends', () => {
  const jwtUntil = (seconds: number) =>
    new SignJWT({ sub: 'alice' })
      .setProtectedHeader({ alg: 'HS256' })
      .setExpirationTime(seconds)
      .sign(new TextEncoder().encode('a secret of somebody else, 32 bytes'))

  it.each<[string, TokenExchangeOptions['subjectTokenExpiresAt']]>([
    ['by its exp claim', 'jwt'],
    ['by a function', ({ tenant }) => Number(tenant)],
  ])('what was got with it dies with it, and is not renewed before: %s', async (_name, subjectTokenExpiresAt) => {
    const { source, server, clock } = await sourceAtEndpoint(undefined, {
      grant: ofCaller({ subjectTokenExpiresAt }),
    })
    const endsAt = Math.floor(clock.now() / 1000) * 1000 + 100_000
    const caller = from(await jwtUntil(endsAt / 1000), { tenant: String(endsAt) })
    const token = await source.get(caller)
    expect(token.expiresAt).toBe(endsAt)
    await clock.advance(endsAt - clock.now() - 1)
    expect(source.peek(caller.context)).toBe(token)
    expect(await source.get(caller)).toBe(token)
    expect(server.requests).toHaveLength(1)
    await clock.advance(1)
    expect(source.peek(caller.context)).toBeUndefined()
    await source.get(caller)
    expect(server.requests).toHaveLength(2)
    // Still exchanged by the server, whose clock may be another one, but not kept.
    expect(source.peek(caller.context)).toBeUndefined()
  })

  it('a token that ends earlier is renewed as ever', async () => {
    const { source, server, clock } = await sourceAtEndpoint(() => tokenReply({ expiresIn: 60 }), {
      grant: ofCaller({ subjectTokenExpiresAt: () => clock.now() + 3_600_000 }),
    })
    await source.get(from('s1'))
    await clock.advance(50_000)
    await source.get(from('s1'))
    await expect.poll(() => server.requests.length).toBe(2)
  })

  it.each<[string, Partial<TokenExchangeOptions>]>([
    ['nothing was opted for', {}],
    ['it is no JWT', { subjectTokenExpiresAt: 'jwt', subjectToken: () => 'opaque' }],
    ['the function does not know', { subjectTokenExpiresAt: () => undefined }],
  ])('a token lives as long as its server says: %s', async (_name, options) => {
    const { source, clock } = await sourceAtEndpoint(undefined, { grant: ofCaller(options) })
    const subjectToken = await jwtUntil(Math.floor(clock.now() / 1000) + 100)
    expect((await source.get(from(subjectToken))).expiresAt).toBe(clock.now() + 3_600_000)
  })
})

describe('an answer that holds no access token', () => {
  it.each<[string, FullReply, string]>([
    ['N_A', tokenReply({ tokenType: 'N_A' }), 'token_type is N_A: what was issued is no access token'],
    ['n_a', tokenReply({ tokenType: 'n_a' }), 'token_type is N_A: what was issued is no access token'],
    ...['refresh_token', 'id_token', 'saml1', 'saml2'].map((name): [string, FullReply, string] => [
      name,
      tokenReply({ extra: { issued_token_type: type(name) } }),
      `issued_token_type is ${type(name)}: what was issued is no access token`,
    ]),
  ])('is refused, and not asked for again: %s', async (_name, reply, message) => {
    const { source, server } = await sourceAtEndpoint(reply, { grant: ofCaller() })
    const error = await rejection(source.get(from('s1')))
    expect(error).toBeInstanceOf(TokenResponseError)
    expect((error.cause as Error).message).toBe(message)
    expect(await rejection(source.get(from('s1')))).toMatchObject({ fromCache: true })
    expect(server.requests).toHaveLength(1)
  })

  it.each(['access_token', 'jwt', 'txn_token'])('one that an API may take is used: %s', async (name) => {
    const reply = tokenReply({ accessToken: 'good', extra: { issued_token_type: type(name) } })
    const { source } = await sourceAtEndpoint(reply, { grant: ofCaller() })
    expect((await source.get(from('s1'))).value).toBe('good')
  })
})

describe('options', () => {
  it.each<[string, Record<string, unknown>, string]>([
    ['no subject token', { subjectToken: undefined }, 'subjectToken: expected a non-empty string'],
    ['an empty one', { subjectToken: '' }, 'subjectToken: expected a non-empty string'],
    ['a number', { subjectToken: 1 }, 'subjectToken: expected a non-empty string'],
    ['no type', { subjectTokenType: '' }, 'subjectTokenType: expected a non-empty string'],
    ['an actor that is none', { actorToken: 1 }, 'actorToken: expected a non-empty string'],
    ['the type of no actor', { actorTokenType: 'x' }, 'actorTokenType: not without actorToken'],
    [
      'a type that no API takes',
      { requestedTokenType: type('id_token') },
      'requestedTokenType: expected a type of token',
    ],
    ['an end that is none', { subjectTokenExpiresAt: 5 }, "subjectTokenExpiresAt: expected 'jwt' or a function"],
  ])('are refused when the grant is made: %s', (_name, options, message) => {
    const make = () => tokenExchange({ subjectToken: 's', ...options })
    expect(make).toThrow(TypeError)
    expect(make).toThrow(`tokenExchange: ${message}`)
  })

  it("the protocol's own parameters are refused among the others", () => {
    expect(() => ofCaller({ parameters: { subject_token: 'x' } })).not.toThrow()
    expect(() => tokenExchange({ subjectToken: 's', parameters: { subject_token: 'x' } })).toThrow(
      'parameters.subject_token',
    )
    expect(() => ofCaller({ parameters: { subject_token: 'x' } }).parameters({ subjectToken: 's' })).toThrow(TypeError)
  })

  it.each([{ subjectTokenExpiresAt: () => Number.NaN }, { subjectToken: () => 5 as unknown as string }])(
    'what a function must not give fails the call before anything is sent: %s',
    async (options) => {
      const { source, server } = await sourceAtEndpoint(undefined, { grant: ofCaller(options) })
      await rejection(source.get(from('s1')))
      expect(server.requests).toHaveLength(0)
    },
  )
})

describe('a real authorization server', () => {
  it.each([false, true])("gives a token for the caller's own, which the API takes (DPoP: %s)", async (dpop) => {
    const server = await createAuthorizationServer({ requireDpopNonce: dpop })
    const api = await createProtectedApi({ issuer: server.issuer, jwksUri: server.jwksUri })
    onTestFinished(async () => void (await Promise.all([server.close(), api.close()])))
    const { basic } = server.clients
    const caller = createTokenSource({
      issuer: server.issuer,
      clientId: basic.clientId,
      clientAuth: clientSecretBasic(basic.secret),
      scope: 'profile:read',
    })
    const oauth = {
      issuer: server.issuer,
      clientId: server.clients.basicPlain.clientId,
      clientAuth: clientSecretBasic(server.clients.basicPlain.secret),
      grant: ofCaller({ scope: 'profile:read', subjectTokenExpiresAt: 'jwt' }),
      dpop,
    }
    const upstreams = createUpstreams({ profile: { baseUrl: api.url, oauth } })
    onTestFinished(async () => void (await Promise.all([caller.close(), upstreams.close()])))
    const subjectToken = (await caller.get()).value
    const response = await upstreams.run({ subjectToken }, () => upstreams.profile.fetch('/me'))
    expect(response.status).toBe(200)
    expect(api.requests[0]).toMatchObject({ scope: 'profile:read', tokenType: dpop ? 'DPoP' : 'Bearer' })
    expect(server.tokenRequests.at(-1)).toMatchObject({ clientId: server.clients.basicPlain.clientId, status: 200 })
    const refused = await rejection(upstreams.run({ subjectToken: 'nobody' }, () => upstreams.profile.fetch('/me')))
    expect(refused).toBeInstanceOf(TokenRequestError)
    expect(refused).toMatchObject({ error: 'invalid_request', statusCode: 502 })
    expect((await upstreams.run({ subjectToken }, () => upstreams.profile.fetch('/me'))).status).toBe(200)
  })
})

it('a cache of as many tokens as there are callers is the limit that its maker chose', async () => {
  const { source, server } = await sourceAtEndpoint(undefined, {
    grant: ofCaller(),
    cache: memoryTokenCache({ maxEntries: 2 }),
  })
  for (const subjectToken of ['s1', 's2', 's3', 's3', 's2', 's1']) await source.get(from(subjectToken))
  expect(subjectsAt(server)).toEqual(['s1', 's2', 's3', 's1'])
})
