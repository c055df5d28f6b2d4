import { hash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { setImmediate } from 'node:timers/promises'
import { createAuthorizationServer, tokenReply, type Reply } from '@tokenwell/testing'
import { decodeJwt } from 'jose'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import {
  authorizationCode,
  clientSecretBasic,
  clientSecretPost,
  createTokenSource,
  TokenRequestError,
  type AuthorizationCodeOptions,
} from '../../src/index.ts'
import { driven, rejection, sourceAtEndpoint } from '../support.ts'

const redirectUri = 'https://orders.example.com/callback'
const withRefreshToken: Reply = (_request, index) => tokenReply({ extra: { refresh_token: `r${index + 1}` } })

function sourceWithCode(options: Partial<AuthorizationCodeOptions> = {}, reply?: Reply) {
  return sourceAtEndpoint(reply, { grant: authorizationCode({ code: 'c0de', redirectUri, ...options }) })
}

const sentTo = (server: { readonly requests: readonly { form: URLSearchParams }[] }) =>
  server.requests.map(({ form }) => form.get('code') ?? form.get('refresh_token'))

it('redeems the code with what the authorization request had', async () => {
  const codeVerifier = 'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk'
  const { source, server } = await sourceWithCode({
    codeVerifier,
    resource: 'https://api.example',
    parameters: { p: '1' },
  })
  await source.get()
  expect([...(server.requests[0]?.form ?? [])]).toEqual([
    ['grant_type', 'authorization_code'],
    ['code', 'c0de'],
    ['redirect_uri', redirectUri],
    ['code_verifier', codeVerifier],
    ['resource', 'https://api.example'],
    ['p', '1'],
  ])
})

it('leaves out what the authorization request had not', async () => {
  const { source, server } = await sourceAtEndpoint(undefined, { grant: authorizationCode({ code: 'c0de' }) })
  await source.get()
  expect(server.requests[0]?.text).toBe('grant_type=authorization_code&code=c0de')
})

describe('a refresh token that comes with the access token', () => {
  it('gets the next one, as does the one that takes its place; each is handed on before', async () => {
    const onRotated = vi.fn()
    const { source, server } = await sourceWithCode({ onRotated, resource: 'https://api.example' }, withRefreshToken)
    for (let count = 0; count < 3; count += 1) await source.get({ forceRenewal: true })
    expect(server.requests.map(({ text }) => text)).toEqual([
      `grant_type=authorization_code&code=c0de&redirect_uri=${encodeURIComponent(redirectUri)}&resource=https%3A%2F%2Fapi.example`,
      'grant_type=refresh_token&refresh_token=r1&resource=https%3A%2F%2Fapi.example',
      'grant_type=refresh_token&refresh_token=r2&resource=https%3A%2F%2Fapi.example',
    ])
    expect(onRotated.mock.calls.map(([token]: string[]) => token)).toEqual(['r1', 'r2', 'r3'])
  })

  it('is stored before anybody sees the access token', async () => {
    const stored = Promise.withResolvers<void>()
    const asked = Promise.withResolvers<void>()
    const onRotated = () => {
      asked.resolve()
      return stored.promise
    }
    const { source } = await sourceWithCode({ onRotated }, withRefreshToken)
    const order: string[] = []
    const waiting = source.get().then(() => order.push('token'))
    await asked.promise
    await setImmediate()
    expect(source.peek()).toBeUndefined()
    order.push('stored')
    stored.resolve()
    await waiting
    expect(order).toEqual(['stored', 'token'])
  })

  it('is used even if the access token that came with it cannot be', async () => {
    const { source, server, clock } = await sourceWithCode()
    server.respondWith(tokenReply({ tokenType: 'mac', extra: { refresh_token: 'r1' } }), () => tokenReply())
    expect(await rejection(source.get())).toMatchObject({ code: 'ERR_TOKENWELL_TOKEN_RESPONSE' })
    await clock.advance(60_000)
    await source.get()
    expect(sentTo(server)).toEqual(['c0de', 'r1'])
  })
})

describe('a code is sent once', () => {
  it.each<[string, Reply, string]>([
    ['it was redeemed without a refresh token', () => tokenReply(), 'and brought no refresh token'],
    ['it was refused', { status: 400, body: { error: 'invalid_grant' } }, 'and was refused: invalid_grant'],
    ['the server was busy', { status: 429 }, 'and was refused: without an error code'],
    ['the connection was reset', { reset: true }, 'and its answer was lost'],
    ['the server was in trouble', { status: 503 }, 'and its answer was lost'],
    ['the answer was no token', { body: { hello: 'world' } }, 'and its answer was lost'],
    ['the token could not be used', tokenReply({ tokenType: '' }), 'and brought no refresh token'],
  ])('%s: the next request fails before anything is sent', async (_name, reply, why) => {
    const { source, server, clock } = await sourceWithCode({}, reply)
    await driven(
      clock,
      source.get().catch(() => undefined),
    )
    expect(server.requests).toHaveLength(1)
    await clock.advance(3_600_000)
    const error = await rejection(source.get())
    expect(error).toBeInstanceOf(TokenRequestError)
    expect(error).toMatchObject({
      error: 'invalid_grant',
      tokenEndpointStatus: undefined,
      fromCache: false,
      cause: { message: `authorizationCode: code: was sent before, ${why}` },
    })
    expect(server.requests).toHaveLength(1)
  })

  it('even if the client was not known, and its secret has changed', async () => {
    const secrets = ['old', 'new']
    const { source, server } = await sourceAtEndpoint(
      { status: 401, body: { error: 'invalid_client' } },
      { grant: authorizationCode({ code: 'c0de' }), clientAuth: clientSecretPost(() => secrets.shift() ?? '') },
    )
    expect(await rejection(source.get())).toMatchObject({ error: 'invalid_client' })
    expect(server.requests).toHaveLength(1)
  })

  it('by whichever source that shares the grant comes first; the other has the refresh token', async () => {
    const grant = authorizationCode({ code: 'c0de' })
    const { source, server } = await sourceAtEndpoint(withRefreshToken, { grant })
    const other = createTokenSource({
      tokenEndpoint: `${server.url}/token`,
      clientId: 'orders',
      clientAuth: clientSecretBasic('s3cret'),
      grant,
    })
    onTestFinished(() => other.close())
    await Promise.all([source.get(), other.get()])
    expect(sentTo(server)).toEqual(['c0de', 'r1'])
  })

  it('but if the secret could not be read, it is still good', async () => {
    const secrets = [() => Promise.reject(new Error('vault is away')), () => 's3cret']
    const clientAuth = clientSecretPost(() => secrets.shift()?.() ?? '')
    const { source, server } = await sourceAtEndpoint(undefined, {
      grant: authorizationCode({ code: 'c0de' }),
      clientAuth,
    })
    expect(await rejection(source.get())).toMatchObject({ cause: { message: 'vault is away' } })
    await source.get()
    expect(sentTo(server)).toEqual(['c0de'])
  })

  it('but if the server was not reached, it is still good', async () => {
    const port = await freePort()
    const source = createTokenSource({
      tokenEndpoint: `http://127.0.0.1:${port}/token`,
      clientId: 'orders-plain',
      clientAuth: clientSecretBasic('plainSecret0123456789'),
      grant: authorizationCode({ code: 'c0de', redirectUri }),
      renewal: { maxFailurePauseMs: 0 },
    })
    onTestFinished(() => source.close())
    expect(await rejection(source.get())).toMatchObject({ cause: { code: 'ECONNREFUSED' } })
    const server = await createAuthorizationServer({ port })
    onTestFinished(() => server.close())
    // No code of this server: what counts is that it was asked.
    expect(await rejection(source.get())).toMatchObject({ error: 'invalid_grant', tokenEndpointStatus: 400 })
  })
})

it.each<[string, object, string]>([
  ['no code', { code: undefined }, 'code: expected a non-empty string'],
  ['an empty redirect URI', { redirectUri: '' }, 'redirectUri: expected a non-empty string'],
  ['a short verifier', { codeVerifier: 's3cret-value' }, 'codeVerifier: expected 43 to 128 letters, digits and -._~'],
  [
    'a verifier with other characters',
    { codeVerifier: `${'a'.repeat(43)}+` },
    'codeVerifier: expected 43 to 128 letters, digits and -._~',
  ],
  ['a callback that is none', { onRotated: {} }, 'onRotated: expected a function'],
])('%s is a TypeError that names the option', (_name, options, message) => {
  expect(() => authorizationCode({ code: 's3cret-value', ...options })).toThrow(
    new TypeError(`authorizationCode: ${message}`),
  )
})

it('the token key has the code as a hash, and another one for another code', () => {
  const keyOf = (code: string) => JSON.stringify(authorizationCode({ code }).parameters(undefined))
  expect(keyOf('a-secret-code')).toBe(keyOf('a-secret-code'))
  expect(keyOf('a-secret-code')).not.toBe(keyOf('another-code'))
  expect(keyOf('a-secret-code')).not.toContain('a-secret-code')
})

describe('a real authorization server', () => {
  const codeVerifier = randomBytes(32).toString('base64url')
  const codeChallenge = hash('sha256', codeVerifier, 'base64url')

  async function withCode(options: Partial<AuthorizationCodeOptions>, dpop = false) {
    const server = await createAuthorizationServer({ requireDpopNonce: dpop })
    const { clientId, secret } = server.clients.basic
    const code = await server.issueAuthorizationCode({ clientId, subject: 'alice', codeChallenge })
    const grant = authorizationCode({ code, redirectUri, codeVerifier, ...options })
    const clientAuth = clientSecretBasic(secret)
    const source = createTokenSource({ issuer: server.issuer, clientId, clientAuth, grant, dpop })
    onTestFinished(async () => void (await Promise.all([server.close(), source.close()])))
    return { server, source }
  }

  it.each([
    ['as they are', false],
    ['bound to a key, with a nonce that it asks for', true],
  ])('gives tokens %s, first for the code and its verifier, then for the refresh token', async (_name, dpop) => {
    const onRotated = vi.fn()
    const { server, source } = await withCode({ onRotated }, dpop)
    for (let count = 0; count < 3; count += 1) {
      expect(decodeJwt((await source.get({ forceRenewal: true })).value)).toMatchObject({ sub: 'alice' })
    }
    const answered = server.tokenRequests.filter(({ status }) => status === 200)
    expect(answered.map((request) => request.grantType)).toEqual([
      'authorization_code',
      'refresh_token',
      'refresh_token',
    ])
    expect(server.tokenRequests.map(({ error }) => error).filter((error) => error !== undefined)).toEqual(
      dpop ? ['use_dpop_nonce'] : [],
    )
    expect(onRotated).toHaveBeenCalledTimes(3)
  })

  it('refuses another verifier, and is not asked again', async () => {
    const { server, source } = await withCode({ codeVerifier: 'x'.repeat(43) })
    expect(await rejection(source.get())).toMatchObject({ error: 'invalid_grant', tokenEndpointStatus: 400 })
    await rejection(source.get())
    expect(server.tokenRequestCount).toBe(1)
  })
})

/** A port on which nobody listens. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
