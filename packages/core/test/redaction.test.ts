import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { inspect } from 'node:util'
import { tokenReply, type Reply } from '@tokenwell/testing'
import { describe, expect, it, onTestFinished } from 'vitest'
import { redactedCause, redactText } from '../src/diagnostics/redact.ts'
import {
  clientSecretBasic,
  clientSecretPost,
  createTokenSource,
  createUpstreams,
  privateKeyJwt,
  type ClientAuth,
} from '../src/index.ts'
import { rejection, tokenEndpoint } from './support.ts'

const secret = 'p:a%s s+w/-._~Kq7'
const accessToken = 'acc3ss-t0ken-value-0123456789'
const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const pem = privateKey.export({ type: 'pkcs8', format: 'pem' })

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
    private_key_jwt: () => privateKeyJwt(pem, { audience: 'token-endpoint' }),
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
      const oauth = { tokenEndpoint: server.url, clientId: 'orders', clientAuth: method() }
      const upstreams = createUpstreams({ billing: { baseUrl: server.url, oauth } })
      const source = createTokenSource(oauth)
      onTestFinished(async () => void (await Promise.all([upstreams.close(), source.close()])))
      const outcome = await source.get().catch((error: unknown) => error)
      const viaFetch = await upstreams.billing.fetch('/').catch((error: unknown) => error)
      const assertion = server.requests[0]?.form.get('client_assertion')
      const hidden = [
        ...encodings,
        accessToken,
        ...(assertion === null || assertion === undefined ? [] : [assertion, assertion.split('.')[2] ?? '']),
        pem.split('\n')[1] ?? '',
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
