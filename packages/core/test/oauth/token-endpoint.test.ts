import { createScriptedServer, tokenReply, type Reply } from '@tokenwell/testing'
import { Agent, interceptors } from 'undici'
import { describe, expect, it, onTestFinished } from 'vitest'
import {
  clientSecretBasic,
  clientSecretPost,
  createUpstream,
  TokenEndpointUnreachableError,
  TokenRequestError,
  TokenResponseError,
  TokenwellError,
} from '../../src/index.ts'
import { driven, rejection, sourceAtEndpoint, tokenEndpoint } from '../support.ts'

const json = { 'content-type': 'application/json' }

// regressions S23, S24, J31, J33
describe('a success that holds no usable token is a TokenResponseError, and nothing goes to the API', () => {
  const answers: Record<string, Reply> = {
    'an empty body': { status: 200, headers: json, body: '' },
    'no content': { status: 204 },
    'an HTML page': { status: 200, headers: { 'content-type': 'text/html' }, body: '<h1>Sign in</h1>' },
    'truncated JSON': { status: 200, headers: json, body: '{"access_token":"abc","token_ty' },
    'JSON that is no object': { status: 200, headers: json, body: '["abc"]' },
    'no access_token': { status: 200, headers: json, body: { token_type: 'Bearer', expires_in: 60 } },
    'an empty access_token': tokenReply({ accessToken: '' }),
    'an access_token that is no string': tokenReply({ extra: { access_token: 42 } }),
    'no token_type': { status: 200, headers: json, body: { access_token: 'abc', expires_in: 60 } },
    'a token_type that nobody asked for': tokenReply({ tokenType: 'DPoP' }),
    'token_type N_A': tokenReply({ tokenType: 'N_A' }),
    'token_type mac': tokenReply({ tokenType: 'mac' }),
    'a token with a line end': tokenReply({ accessToken: 'abc\r\nx-evil: 1' }),
    'a token with a space': tokenReply({ accessToken: 'abc def' }),
    'a token of 16 KiB and one character': tokenReply({ accessToken: 'a'.repeat(16 * 1024 + 1) }),
    'a 201': { ...tokenReply(), status: 201 },
  }

  it.each(Object.entries(answers))('%s', async (_name, answer) => {
    const server = await tokenEndpoint(answer)
    const api = await createScriptedServer({ status: 200 })
    const upstream = createUpstream({
      baseUrl: api.url,
      oauth: { tokenEndpoint: server.url, clientId: 'orders', clientAuth: clientSecretBasic('s3cret') },
    })
    onTestFinished(() => api.close())
    onTestFinished(() => upstream.close())
    const viaFetch = await rejection(upstream.fetch('/invoices'))
    expect(viaFetch).toBeInstanceOf(TokenResponseError)
    expect(viaFetch).toMatchObject({ code: 'ERR_TOKENWELL_TOKEN_RESPONSE', statusCode: 502 })
    expect(await rejection(upstream.request('/invoices'))).toBeInstanceOf(TokenResponseError)
    expect(api.connectionCount).toBe(0)
  })
})

describe('a good answer', () => {
  // regressions S25
  it.each(['Bearer', 'bearer', 'BEARER'])('may spell its type %s', async (tokenType) => {
    const { source } = await sourceAtEndpoint(tokenReply({ tokenType }))
    expect((await source.get()).tokenType).toBe('Bearer')
  })

  it.each(['application/json;charset=UTF-8', 'application/vnd.example+json'])('may be of type %s', async (type) => {
    const { source } = await sourceAtEndpoint({
      headers: { 'content-type': type },
      body: JSON.stringify({ access_token: 'abc', token_type: 'Bearer' }),
    })
    expect((await source.get()).value).toBe('abc')
  })

  it('may hold a token of several kilobytes', async () => {
    const { source } = await sourceAtEndpoint(tokenReply({ accessToken: 'a'.repeat(16 * 1024) }))
    expect((await source.get()).value).toHaveLength(16 * 1024)
  })

  it('may hold an ID token, which nobody reads', async () => {
    const { source } = await sourceAtEndpoint(tokenReply({ extra: { id_token: 'nonsense' } }))
    expect((await source.get()).tokenType).toBe('Bearer')
  })

  it('says which scope was granted, else it is the one asked for', async () => {
    const { source } = await sourceAtEndpoint(tokenReply({ scope: 'read' }), { scope: 'write read' })
    expect((await source.get()).scope).toBe('read')
    const silent = await sourceAtEndpoint(tokenReply(), { scope: 'write read' })
    expect((await silent.source.get()).scope).toBe('read write')
  })
})

// regressions J30
describe('an error answer is a TokenRequestError', () => {
  const errors: [string, Reply, object][] = [
    [
      '400 with an OAuth error',
      {
        status: 400,
        body: { error: 'invalid_scope', error_description: 'no such scope', error_uri: 'https://e.example/1' },
      },
      {
        error: 'invalid_scope',
        errorDescription: 'no such scope',
        errorUri: 'https://e.example/1',
        tokenEndpointStatus: 400,
      },
    ],
    [
      '200 with an OAuth error',
      { status: 200, body: { error: 'invalid_client' } },
      { error: 'invalid_client', tokenEndpointStatus: 200 },
    ],
    [
      '503 with a word of its own',
      { status: 503, body: { error: 'service_unavailable' } },
      { error: 'service_unavailable', statusCode: 503 },
    ],
    [
      '401 with a challenge beside the OAuth error',
      { status: 401, headers: { 'www-authenticate': 'Basic realm="x"' }, body: { error: 'invalid_client' } },
      { error: 'invalid_client', tokenEndpointStatus: 401 },
    ],
    [
      '401 with a challenge of no known scheme',
      { status: 401, headers: { 'www-authenticate': 'Keystone uri="https://k"' } },
      { error: undefined, tokenEndpointStatus: 401 },
    ],
    [
      '500 with an OAuth error for a bad signature',
      { status: 500, body: { error: 'invalid_client' } },
      { error: 'invalid_client', tokenEndpointStatus: 500 },
    ],
    ['403 with an empty body', { status: 403 }, { error: undefined, tokenEndpointStatus: 403 }],
    [
      '404 as plain text',
      { status: 404, headers: { 'content-type': 'text/plain' }, body: 'not here' },
      { error: undefined, tokenEndpointStatus: 404 },
    ],
    ['415', { status: 415 }, { tokenEndpointStatus: 415 }],
    ['501', { status: 501 }, { tokenEndpointStatus: 501, statusCode: 503 }],
    [
      '502 as HTML',
      { status: 502, headers: { 'content-type': 'text/html' }, body: '<h1>Bad Gateway</h1>' },
      { error: undefined, tokenEndpointStatus: 502, statusCode: 503 },
    ],
    [
      'an error that is no string',
      { status: 400, body: { error: { code: 1 } } },
      { error: undefined, tokenEndpointStatus: 400 },
    ],
    [
      "Oracle's ecid",
      { status: 401, body: { error: 'invalid_client', ecid: 'abc^123' } },
      { parameters: { ecid: 'abc^123' } },
    ],
  ]
  it.each(errors)('%s', async (_name, answer, expected) => {
    const { clock, source } = await sourceAtEndpoint(answer)
    const error = await rejection(driven(clock, source.get()))
    expect(error).toBeInstanceOf(TokenRequestError)
    expect(error).toMatchObject({ code: 'ERR_TOKENWELL_TOKEN_REQUEST', statusCode: 502, fromCache: false, ...expected })
  })
})

// regressions S29, J45
describe('a redirect from the token endpoint', () => {
  it.each([301, 302, 303, 307, 308])('%i is an error, and the credentials are not sent again', async (status) => {
    const elsewhere = await createScriptedServer(tokenReply())
    onTestFinished(() => elsewhere.close())
    const { server, source } = await sourceAtEndpoint({ redirect: elsewhere.url, status })
    const error = await rejection(source.get())
    expect(error).toBeInstanceOf(TokenRequestError)
    expect((error.cause as Error).message).toContain('redirect')
    expect(server.requests).toHaveLength(1)
    expect(elsewhere.connectionCount).toBe(0)
  })
})

it('a redirect is not followed by a dispatcher that follows redirects either', async () => {
  const elsewhere = await createScriptedServer(tokenReply())
  const agent = new Agent()
  onTestFinished(async () => void (await Promise.all([elsewhere.close(), agent.destroy()])))
  const dispatcher = agent.compose(interceptors.redirect({ maxRedirections: 5 }))
  const { source } = await sourceAtEndpoint(
    { redirect: elsewhere.url, status: 307 },
    { dispatcher, clientAuth: clientSecretPost('s3cret') },
  )
  expect(await rejection(source.get())).toBeInstanceOf(TokenRequestError)
  expect(elsewhere.connectionCount).toBe(0)
})

describe('no answer is a TokenEndpointUnreachableError', () => {
  it('when the connection is reset', async () => {
    const { clock, source } = await sourceAtEndpoint({ reset: true })
    expect(await rejection(driven(clock, source.get()))).toMatchObject({
      code: 'ERR_TOKENWELL_TOKEN_ENDPOINT_UNREACHABLE',
      statusCode: 503,
    })
  })

  it('when nobody listens', async () => {
    const { server, clock, source } = await sourceAtEndpoint()
    await server.close()
    const error = await rejection(driven(clock, source.get()))
    expect(error).toBeInstanceOf(TokenEndpointUnreachableError)
    expect((error.cause as { code?: string }).code).toBe('ECONNREFUSED')
  })

  it('when the body ends too early', async () => {
    const { clock, source } = await sourceAtEndpoint({ ...tokenReply(), truncate: 10 })
    expect(await rejection(driven(clock, source.get()))).toBeInstanceOf(TokenEndpointUnreachableError)
  })

  // regressions J37
  it('when the body never ends: it is read up to 1 MiB', async () => {
    const { clock, source } = await sourceAtEndpoint({ endless: true })
    const error = await rejection(driven(clock, source.get()))
    expect(error).toBeInstanceOf(TokenEndpointUnreachableError)
    expect((error.cause as Error).name).toBe('BodyTooLargeError')
  })

  // regressions S32, J34
  it('when the server hangs: the request ends at its deadline', async () => {
    const { server, clock, source } = await sourceAtEndpoint({ hang: true }, { timeoutMs: 3000 })
    const waiting = rejection(source.get())
    await expect.poll(() => server.requests.length).toBe(1)
    await clock.advance(2999)
    expect(server.openConnectionCount).toBe(1)
    await clock.advance(1)
    expect(await waiting).toBeInstanceOf(TokenEndpointUnreachableError)
    expect(clock.pendingTimers).toBe(0)
    await expect.poll(() => server.openConnectionCount).toBe(0)
  })
})

// regressions J35
describe('Retry-After', () => {
  const now = Date.UTC(2026, 0, 1)
  it.each([
    ['120', now + 120_000],
    [new Date(now + 60_000).toUTCString(), now + 60_000],
    [new Date(now - 60_000).toUTCString(), undefined],
    ['0', undefined],
    ['soon', undefined],
  ])('%s', async (value, retryAt) => {
    const { clock, source } = await sourceAtEndpoint({ status: 503, headers: { 'retry-after': value } })
    expect(await rejection(driven(clock, source.get()))).toMatchObject({ retryAt, statusCode: 503 })
  })
})

describe('a message shown to callers', () => {
  it('names the upstream and nothing internal', async () => {
    const server = await tokenEndpoint({
      status: 401,
      body: { error: 'invalid_client', error_description: 'no client orders' },
    })
    const upstream = createUpstream({
      name: 'billing',
      baseUrl: server.url,
      oauth: { tokenEndpoint: server.url, clientId: 'orders', clientAuth: clientSecretBasic('s3cret') },
    })
    onTestFinished(() => upstream.close())
    const error = await rejection(upstream.fetch('/'))
    expect(error).toBeInstanceOf(TokenwellError)
    expect(error.message).toBe('Upstream "billing": the authorization server refused the token request')
    expect((error.cause as Error).message).toBe('the token endpoint answered 401: invalid_client: no client orders')
  })
})

describe('the request', () => {
  it('is a form in UTF-8 with what the grant asks for, and an empty scope is left out', async () => {
    const { server, source } = await sourceAtEndpoint(undefined, {
      resource: ['https://b.example', 'https://a.example'],
      audience: 'https://api.example',
      parameters: { prompt: 'none', tag: ['b', 'a'] },
      scope: '',
    })
    await source.get()
    const [request] = server.requests
    expect(request?.method).toBe('POST')
    expect(request?.headers['content-type']).toBe('application/x-www-form-urlencoded;charset=UTF-8')
    expect([...(request?.form ?? [])]).toEqual([
      ['grant_type', 'client_credentials'],
      ['resource', 'https://a.example'],
      ['resource', 'https://b.example'],
      ['audience', 'https://api.example'],
      ['prompt', 'none'],
      ['tag', 'a'],
      ['tag', 'b'],
    ])
  })
})
