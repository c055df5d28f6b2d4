import { createPrivateKey, generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { inspect } from 'node:util'
import { createManualClock, tokenReply, type Reply } from '@tokenwell/testing'
import { describe, expect, it, onTestFinished } from 'vitest'
import { redactedCause, redactText } from '../src/diagnostics/redact.ts'
import {
  authorizationCode,
  clientAssertion,
  clientSecretBasic,
  clientSecretJwt,
  clientSecretPost,
  createTokenSource,
  createUpstreams,
  jwtBearer,
  privateKeyJwt,
  refreshToken,
  tokenExchange,
  tlsClientAuth,
  type ClientAuth,
  type Grant,
  type TokenRequestError,
} from '../src/index.ts'
import { createAuthority } from './client-auth/certificates.ts'
import { mutualTlsServer } from './client-auth/mutual-tls-server.ts'
import { driven, rejection, tokenEndpoint } from './support.ts'

const secret = 'p:a%s s+w/-._~Kq7'
const accessToken = 'acc3ss-t0ken-value-0123456789'
const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const pem = privateKey.export({ type: 'pkcs8', format: 'pem' })
const passphrase = 'open-sesame-Kq7'
const encryptedPem = privateKey.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase })
const version = 'versi0n-Kq7'

/** Every form in which something may end up in a log. */
function everyForm(value: unknown): string {
  const forms = [
    inspect(value, { depth: 10, showHidden: true, getters: false }),
    inspect(value),
    JSON.stringify(value) ?? '',
    String(value),
    Object.prototype.toString.call(value),
    JSON.stringify({ ...(value as object) }),
  ]
  if (value instanceof Error)
    forms.push(value.stack ?? '', value.message, inspect(value.cause, { depth: 10, showHidden: true }))
  return forms.join('\n')
}

const encodings = [
  secret,
  encodeURIComponent(secret),
  Buffer.from(`orders:${encodeURIComponent(secret)}`).toString('base64'),
  new URLSearchParams({ s: secret }).toString().slice(2),
]

// regressions S42, J57, J59, J61
describe('secrets, tokens and assertions appear in no message, inspect or JSON', () => {
  const methods: Record<string, () => ClientAuth> = {
    client_secret_basic: () => clientSecretBasic(secret),
    client_secret_post: () => clientSecretPost(secret),
    'client_secret_post, from a provider with a version': () => clientSecretPost(() => ({ value: secret, version })),
    'two secrets': () => clientSecretBasic([secret, 'the-one-before-Kq7']),
    client_secret_jwt: () => clientSecretJwt(secret, { audience: 'token-endpoint' }),
    private_key_jwt: () => privateKeyJwt(pem, { audience: 'token-endpoint' }),
    'private_key_jwt, encrypted': () => privateKeyJwt(encryptedPem, { audience: 'token-endpoint', passphrase }),
    'private_key_jwt, from a provider': () => privateKeyJwt(() => pem, { audience: 'token-endpoint' }),
    'an assertion of somebody else': () => clientAssertion(() => 'eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.c2lnbmF0dXJl'),
  }
  // A server that says back everything it was sent.
  const echo: Reply = ({ text, headers }) => ({
    // The credentials decoded too, as a helpful server may.
    status: 400,
    body: {
      error: 'invalid_client',
      error_description: `you sent ${text} ${decodeURIComponent(text)} ${headers.authorization ?? ''} ${Buffer.from(headers.authorization?.slice(6) ?? '', 'base64').toString()} ${decodeURIComponent(Buffer.from(headers.authorization?.slice(6) ?? '', 'base64').toString())}`,
      echo: text,
      token: accessToken.repeat(3),
    },
  })
  const answers: Record<string, Reply> = {
    'a good answer': tokenReply({ accessToken }),
    'an error that echoes the request': echo,
    'an answer with a token and no type': { body: { access_token: accessToken } },
    'an answer with a token of another type': tokenReply({ accessToken, tokenType: 'mac' }),
    'a token with a space': tokenReply({ accessToken: `${accessToken} x` }),
    'a truncated answer': {
      headers: { 'content-type': 'application/json' },
      body: `{"access_token":"${accessToken}","tok`,
    },
    'a reset': { reset: true },
  }

  describe.each(Object.entries(methods))('%s', (_method, method) => {
    it.each(Object.entries(answers))('%s', async (_name, answer) => {
      const server = await tokenEndpoint(answer)
      const clock = createManualClock()
      const oauth = { tokenEndpoint: server.url, clientId: 'orders', clientAuth: method(), clock }
      const upstreams = createUpstreams({ billing: { baseUrl: server.url, oauth } })
      const source = createTokenSource(oauth)
      onTestFinished(async () => void (await Promise.all([upstreams.close(), source.close()])))
      const told = (error: unknown) => error
      const outcome = await driven(clock, source.get().catch(told))
      const viaFetch = await driven(clock, upstreams.billing.fetch('/').catch(told))
      const assertion = server.requests[0]?.form.get('client_assertion')
      const hidden = [
        ...encodings,
        accessToken,
        ...(assertion === null || assertion === undefined ? [] : [assertion, assertion.split('.')[2] ?? '']),
        pem.split('\n')[1] ?? '',
        encryptedPem.split('\n')[1] ?? '',
        passphrase,
        version,
        'the-one-before-Kq7',
      ]
      for (const thing of [
        oauth.clientAuth,
        source,
        upstreams,
        upstreams.billing,
        upstreams.billing.tokens,
        upstreams.with({}),
        upstreams.billing.dispatcher,
        outcome,
        viaFetch,
      ]) {
        const text = everyForm(thing)
        for (const value of hidden) expect(text).not.toContain(value)
      }
    })
  })

  const grantSecrets = {
    assertion: 'assert1on:of-somebody/Kq7 +',
    code: 'c0de:of/a-user Kq7+',
    codeVerifier: `verif1er-Kq7${'x'.repeat(40)}`,
    refreshToken: 'refr3sh:token/Kq7 +',
    rotated: 'r0tated:token/Kq7 +',
    subjectToken: 'subj3ct:token/Kq7 +',
    actorToken: 'act0r:token/Kq7 +',
  }
  const grants: Record<string, () => Grant> = {
    'jwt-bearer': () => jwtBearer({ assertion: grantSecrets.assertion }),
    'jwt-bearer, from a provider': () => jwtBearer({ assertion: () => grantSecrets.assertion, subject: secret }),
    'jwt-bearer, signed': () => jwtBearer({ key: pem, subject: 'alice', audience: 'https://as.example' }),
    refresh_token: () => refreshToken({ refreshToken: grantSecrets.refreshToken }),
    'refresh_token, from a provider': () => refreshToken({ refreshToken: () => grantSecrets.refreshToken }),
    'token exchange': () =>
      tokenExchange({ subjectToken: grantSecrets.subjectToken, actorToken: grantSecrets.actorToken }),
    authorization_code: () =>
      authorizationCode({ code: grantSecrets.code, codeVerifier: grantSecrets.codeVerifier, redirectUri: 'app://x' }),
  }

  describe.each(Object.entries(grants))('what the grant sends: %s', (_name, makeGrant) => {
    const rotating = tokenReply({ accessToken, extra: { refresh_token: grantSecrets.rotated } })
    it.each(Object.entries({ ...answers, 'an answer with a refresh token': rotating }))(
      '%s',
      async (_answer, answer) => {
        const server = await tokenEndpoint(answer)
        const clock = createManualClock()
        const grant = makeGrant()
        const clientAuth = clientSecretBasic(secret)
        const source = createTokenSource({ tokenEndpoint: server.url, clientId: 'orders', clientAuth, clock, grant })
        onTestFinished(() => source.close())
        const told = (error: unknown) => error
        const outcomes = []
        // The second time a refresh token that came with the first answer is sent, or what was used up is not.
        for (let count = 0; count < 2; count += 1) {
          outcomes.push(await driven(clock, source.get({ forceRenewal: true }).catch(told)))
          await clock.advance(60_000)
        }
        const { form } = server.requests[0] ?? expect.fail('nothing was sent')
        const sent = [form.get('assertion'), form.get('code'), form.get('code_verifier'), form.get('refresh_token')]
        const hidden = [...Object.values(grantSecrets), ...sent.filter((value) => value !== null), accessToken]
          .flatMap((value) => [value, encodeURIComponent(value), new URLSearchParams({ v: value }).toString().slice(2)])
          .concat(pem.split('\n')[1] ?? '')
        for (const thing of [grant, grant.parameters({}), source, ...outcomes]) {
          const text = everyForm(thing)
          for (const value of hidden) expect(text).not.toContain(value)
        }
      },
    )
  })

  it('the tokens of a context, for which something is exchanged', async () => {
    const server = await tokenEndpoint(echo)
    const subjectToken = 'subj3ct:token/Kq7 +'
    const grant = tokenExchange({ subjectToken: (context) => context.subjectToken, actorToken: () => accessToken })
    const oauth = { tokenEndpoint: server.url, clientId: 'orders', clientAuth: clientSecretBasic(secret), grant }
    const upstreams = createUpstreams({ profile: { baseUrl: server.url, oauth } })
    onTestFinished(() => upstreams.close())
    const bound = upstreams.with({ subjectToken })
    const error = (await rejection(bound.profile.fetch('/'))) as TokenRequestError
    expect(error.errorDescription).toContain('subject_token_type=urn')
    const missing = await rejection(upstreams.profile.fetch('/'))
    for (const thing of [bound, bound.profile, bound.profile.tokens, grant, error, missing]) {
      const text = everyForm(thing)
      for (const value of [
        subjectToken,
        new URLSearchParams({ s: subjectToken }).toString().slice(2),
        accessToken,
        secret,
      ]) {
        expect(text).not.toContain(value)
      }
    }
  })

  it('a client certificate and its key, while it is in use', async () => {
    const authority = await createAuthority()
    const { cert, key } = await authority.issue({ commonName: 'orders' })
    const encrypted = createPrivateKey(key).export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase })
    const server = await mutualTlsServer(authority)
    onTestFinished(() => server.close())
    const clientAuth = tlsClientAuth(() => ({ cert, key: encrypted, passphrase, ca: authority.ca }))
    const oauth = { issuer: server.url, clientId: 'orders', clientAuth }
    const upstreams = createUpstreams({ billing: { baseUrl: 'https://127.0.0.1:1', oauth } })
    const source = createTokenSource({ ...oauth, clientId: 'somebody else' })
    onTestFinished(async () => void (await Promise.all([upstreams.close(), source.close()])))
    const things = [
      await upstreams.billing.tokens.get(),
      await rejection(source.get()),
      await clientAuth.mutualTls?.read(),
      clientAuth,
      clientAuth.mutualTls,
      upstreams,
      upstreams.billing,
      upstreams.billing.tokens,
      source,
    ]
    for (const thing of things) {
      const text = everyForm(thing)
      for (const hidden of [cert, key, encrypted]) expect(text).not.toContain(hidden.split('\n')[1])
      expect(text).not.toContain(passphrase)
    }
  })

  it('bytes that are no HTTP, which undici hangs on its error', async () => {
    const server = createServer(
      (socket) => void socket.on('data', () => socket.end(`${accessToken} is no status line`)),
    )
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    onTestFinished(() => void server.close())
    const { port } = server.address() as AddressInfo
    const oauth = {
      tokenEndpoint: `http://127.0.0.1:${port}`,
      clientId: 'orders',
      clientAuth: clientSecretBasic(secret),
    }
    const source = createTokenSource(oauth)
    onTestFinished(() => source.close())
    const error = await rejection(source.get())
    expect((error.cause as Error).name).toBe('HTTPParserError')
    expect(everyForm(error)).not.toContain(accessToken)
  })

  it('the value is there for whoever asks for it', async () => {
    const server = await tokenEndpoint(tokenReply({ accessToken }))
    const source = createTokenSource({
      tokenEndpoint: server.url,
      clientId: 'orders',
      clientAuth: clientSecretBasic(secret),
    })
    onTestFinished(() => source.close())
    const token = await source.get()
    expect(token.value).toBe(accessToken)
    expect(Object.keys(token)).toEqual(['tokenType', 'expiresAt', 'scope', 'generation'])
    expect(inspect(token)).toMatch(/^AccessToken \{/)
    expect(Object.prototype.toString.call(token)).toBe('[object AccessToken]')
  })

  it('members of an error answer that are named like a credential are left out, and what the user sent besides is cut out', async () => {
    const server = await tokenEndpoint({
      status: 400,
      body: {
        error: 'invalid_request',
        access_token: 'short',
        refresh_token: 'r',
        ecid: 'e1',
        error_description: 'api key K3Y-12345 is bad',
      },
    })
    const source = createTokenSource({
      tokenEndpoint: server.url,
      clientId: 'orders',
      clientAuth: clientSecretBasic(secret),
      parameters: { api_key: 'K3Y-12345' },
    })
    onTestFinished(() => source.close())
    expect(await rejection(source.get())).toMatchObject({
      parameters: { ecid: 'e1' },
      errorDescription: 'api key [redacted] is bad',
    })
  })

  it('what a provider of secrets throws is told without what looks like one', async () => {
    const server = await tokenEndpoint()
    const failing = () => Promise.reject(new Error(`vault said no to Bearer hvs.${'x'.repeat(60)}`))
    const source = createTokenSource({
      tokenEndpoint: server.url,
      clientId: 'orders',
      clientAuth: clientSecretBasic(failing),
    })
    onTestFinished(() => source.close())
    const error = await rejection(source.get())
    expect((error.cause as Error).message).toBe('vault said no to [redacted]')
  })
})

describe('redactText', () => {
  it.each([
    ['invalid client', 'invalid client'],
    [
      'AADSTS7000215: Invalid client secret. Trace ID: 0c9f6a4e-1b2c-4d5e-8f90-123456789abc',
      'AADSTS7000215: Invalid client secret. Trace ID: 0c9f6a4e-1b2c-4d5e-8f90-123456789abc',
    ],
    ['got eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln here', 'got [redacted] here'],
    ['Bearer abc and Basic b3JkZXJzOnM=', '[redacted] and [redacted]'],
    [`opaque ${'a1B2'.repeat(12)}`, 'opaque [redacted]'],
    ['line\r\nbreak', 'line break'],
  ])('%s', (text, expected) => {
    expect(redactText(text)).toBe(expected)
  })

  it('cuts long text', () => {
    expect(redactText('word '.repeat(200))).toHaveLength(501)
  })
})

describe('redactedCause', () => {
  it('keeps name, code, message and the chain, and nothing else', () => {
    const deep = new Error('deep', { cause: { body: accessToken } })
    const error = Object.assign(new TypeError(`failed with ${secret}`, { cause: deep }), {
      code: 'ECONNRESET',
      data: accessToken,
    })
    const copy = redactedCause(error, [secret]) as Error & { code: string }
    expect(copy).toMatchObject({ name: 'TypeError', code: 'ECONNRESET', message: 'failed with [redacted]' })
    expect((copy.cause as Error).message).toBe('deep')
    expect(everyForm(copy)).not.toContain(accessToken)
    expect(everyForm(copy)).not.toContain(secret)
  })

  it.each([
    ['a text', 'string thrown'],
    [42, 'number thrown'],
    [null, 'object thrown'],
  ])('%j is told by its type alone', (thrown, message) => {
    expect(redactedCause(thrown)).toMatchObject({ message })
  })
})
