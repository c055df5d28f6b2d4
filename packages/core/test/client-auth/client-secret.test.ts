import { generateKeyPairSync } from 'node:crypto'
import { tokenReply, type RecordedRequest } from '@tokenwell/testing'
import fc from 'fast-check'
import { jwtVerify } from 'jose'
import { describe, expect, it, vi } from 'vitest'
import {
  clientSecretBasic,
  clientSecretJwt,
  clientSecretPost,
  createTokenSource,
  none,
  privateKeyJwt,
  type ClientAuth,
  type Secret,
} from '../../src/index.ts'
import { rejection, sourceAtEndpoint } from '../support.ts'

async function basicCredentials(clientId: string, secret: string, encoding?: 'form' | 'raw'): Promise<string> {
  const headers = new Headers()
  const clientAuth = clientSecretBasic(secret, encoding === undefined ? {} : { encoding })
  await clientAuth({ issuer: 'https://as.example' }, { client_id: clientId }, new URLSearchParams(), headers)
  const header = headers.get('authorization') ?? ''
  expect(header).toMatch(/^Basic /)
  return Buffer.from(header.slice(6), 'base64').toString('utf8')
}

// regressions J39: the bytes before base64.
describe('client_secret_basic', () => {
  it.each([
    ['plain0123', 'plain0123'],
    ['with-._~', 'with-._~'],
    ['p:a%s s+w/-._~', 'p%3Aa%25s%20s%2Bw%2F-._~'],
    ["!'()*", '%21%27%28%29%2A'],
    ['a&b=c', 'a%26b%3Dc'],
    ['ö', '%C3%B6'],
    ['🔑', '%F0%9F%94%91'],
  ])('form-encodes %s as %s', async (secret, encoded) => {
    expect(await basicCredentials('orders', secret)).toBe(`orders:${encoded}`)
  })

  it('encodes the id too', async () => {
    expect(await basicCredentials('https://app.example/a b', 's')).toBe('https%3A%2F%2Fapp.example%2Fa%20b:s')
  })

  it.each(['p:a%s s+w/-._~', 'ö', '🔑'])('sends %s as it is when raw', async (secret) => {
    expect(await basicCredentials('orders', secret, 'raw')).toBe(`orders:${secret}`)
  })

  it('can be read back by a server that decodes, whatever the secret', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.string({ unit: 'grapheme', minLength: 1 }),
        fc.string({ unit: 'grapheme', minLength: 1 }),
        async (id, secret) => {
          const [first = '', second = '', ...rest] = (await basicCredentials(id, secret)).split(':')
          expect(rest).toEqual([])
          // Both decoders that servers have: one for percent-encoding, one for forms.
          expect([first, second].map(decodeURIComponent)).toEqual([id, secret])
          expect([first, second].map((part) => new URLSearchParams(`v=${part}`).get('v'))).toEqual([id, secret])
        },
      ),
    )
  })

  // As a server that decodes reads it, and as one that compares.
  it.each(['ö', '🔑', 'p:a%s s+w/-._~ö🔑'])(
    'sends %s byte for byte, and nothing of the client in the form',
    async (secret) => {
      const { server, source } = await sourceAtEndpoint(undefined, { clientAuth: clientSecretBasic(secret) })
      await source.get()
      const [request] = server.requests
      const [id, password, ...rest] = Buffer.from(request?.headers.authorization?.slice(6) ?? '', 'base64')
        .toString('latin1')
        .split(':')
      expect([id, ...rest]).toEqual(['orders'])
      expect(decodeURIComponent(password ?? '')).toBe(secret)
      expect(request?.headers.authorization).toMatch(/^Basic [A-Za-z0-9+/]+=*$/)
      expect(request?.form.has('client_id')).toBe(false)
      expect(request?.form.has('client_secret')).toBe(false)
    },
  )

  it.each([
    ['ö', [0xc3, 0xb6]],
    ['🔑', [0xf0, 0x9f, 0x94, 0x91]],
  ])('sends %s as its raw bytes when told to', async (secret, bytes) => {
    const { server, source } = await sourceAtEndpoint(undefined, {
      clientAuth: clientSecretBasic(secret, { encoding: 'raw' }),
    })
    await source.get()
    const decoded = Buffer.from(server.requests[0]?.headers.authorization?.slice(6) ?? '', 'base64')
    expect(decoded).toEqual(Buffer.from([...Buffer.from('orders:'), ...bytes]))
  })

  it('refuses an id with a colon when raw, which nobody could read back', async () => {
    const { server, source } = await sourceAtEndpoint(undefined, {
      clientId: 'a:b',
      clientAuth: clientSecretBasic('s', { encoding: 'raw' }),
    })
    expect((await rejection(source.get())).cause).toMatchObject({ message: expect.stringContaining('colon') as string })
    expect(server.requests).toHaveLength(0)
  })
})

describe('client_secret_post', () => {
  it('sends id and secret in the form, and nothing in the header', async () => {
    const { server, source } = await sourceAtEndpoint(undefined, { clientAuth: clientSecretPost('p:a%s s+w/ö') })
    await source.get()
    const [request] = server.requests
    expect(request?.headers.authorization).toBeUndefined()
    expect(request?.form.get('client_id')).toBe('orders')
    expect(request?.form.get('client_secret')).toBe('p:a%s s+w/ö')
  })

  it('writes ö and 🔑 as the form encoding of their UTF-8 bytes', async () => {
    const { server, source } = await sourceAtEndpoint(undefined, { clientAuth: clientSecretPost('ö🔑') })
    await source.get()
    expect(server.requests[0]?.text).toBe(
      'grant_type=client_credentials&client_id=orders&client_secret=%C3%B6%F0%9F%94%91',
    )
  })
})

// regressions S45
it('a refused client does not try another method: its secret is not sent twice', async () => {
  const { server, source } = await sourceAtEndpoint({ status: 401, body: { error: 'invalid_client' } })
  await rejection(source.get())
  expect(server.requests).toHaveLength(1)
  expect(server.requests[0]?.form.has('client_secret')).toBe(false)
})

describe.each<[string, (secret: Secret) => ClientAuth]>([
  ['clientSecretBasic', clientSecretBasic],
  ['clientSecretPost', clientSecretPost],
  ['clientSecretJwt', (secret) => clientSecretJwt(secret, { audience: 'token-endpoint' })],
])('%s', (name, method) => {
  // regressions J40
  it.each([
    ['undefined', undefined],
    ['null', null],
    ['an empty text', ''],
    ['a number', 42],
    ['an object', {}],
  ])('refuses %s as a secret when it is made', (_name, secret) => {
    expect(() => method(secret as never)).toThrow(
      new TypeError(`${name}: secret: expected a non-empty string, a function that gives one, or { file }`),
    )
  })

  it('asks a provider anew for each token request, so a rotated secret needs no restart', async () => {
    const provider = vi.fn(async () => `secret ${provider.mock.calls.length}`)
    const { server, source } = await sourceAtEndpoint(undefined, { clientAuth: method(provider) })
    await source.get()
    await source.get({ forceRenewal: true })
    expect(provider).toHaveBeenCalledTimes(2)
    const [first, second] = server.requests
    for (const [request, secret] of [
      [first, 'secret 1'],
      [second, 'secret 2'],
    ] as const) {
      expect(await provesToKnow(request, secret)).toBe(true)
    }
  })

  // regressions S37
  it('that was refused is replaced within the call if it has changed by then', async () => {
    const secrets = ['old', 'new']
    const { server, source } = await sourceAtEndpoint(undefined, { clientAuth: method(() => secrets.shift() ?? '') })
    server.respondWith({ status: 401, body: { error: 'invalid_client' } }, () => tokenReply())
    expect((await source.get()).tokenType).toBe('Bearer')
    expect(await provesToKnow(server.requests[1], 'new')).toBe(true)
  })

  it.each(['', undefined, null, 42, {}])('sends nothing when the provider gives %j', async (nothing) => {
    const { server, source } = await sourceAtEndpoint(undefined, {
      clientAuth: method((() => nothing) as () => string),
    })
    expect(await rejection(source.get())).toMatchObject({
      code: 'ERR_TOKENWELL_TOKEN_REQUEST',
      cause: { message: `${name}: secret: the provider must give a non-empty string` },
    })
    expect(server.requests).toHaveLength(0)
  })
})

/** Does the request prove, in whatever way it does, that its sender knows the secret? */
async function provesToKnow(request: RecordedRequest | undefined, secret: string): Promise<boolean> {
  const assertion = request?.form.get('client_assertion')
  if (assertion !== null && assertion !== undefined) {
    return jwtVerify(assertion, Buffer.from(secret)).then(
      () => true,
      () => false,
    )
  }
  const basic = Buffer.from(request?.headers.authorization?.slice(6) ?? '', 'base64').toString()
  return (request?.form.get('client_secret') ?? decodeURIComponent(basic.split(':')[1] ?? '')) === secret
}

describe('none', () => {
  it('sends the client id in the form, and nothing else of the client', async () => {
    const { server, source } = await sourceAtEndpoint(undefined, { clientAuth: none() })
    await source.get()
    const [request] = server.requests
    expect(Object.fromEntries(request?.form ?? [])).toEqual({ grant_type: 'client_credentials', client_id: 'orders' })
    expect(request?.headers.authorization).toBeUndefined()
  })
})

it('each method has the name that IANA registered', () => {
  const { privateKey } = generateKeyPairSync('ed25519')
  const names = [clientSecretBasic('s'), clientSecretPost('s'), clientSecretJwt('s'), privateKeyJwt(privateKey), none()]
  expect(names.map(({ method }) => method)).toEqual([
    'client_secret_basic',
    'client_secret_post',
    'client_secret_jwt',
    'private_key_jwt',
    'none',
  ])
})

describe('client_secret_jwt', () => {
  const server = { issuer: 'https://as.example', token_endpoint: 'https://as.example/token' }
  const secret = 'p:a%s s+w/ö🔑'

  it.each(['HS256', 'HS384', 'HS512'] as const)(
    "signs with %s, keyed by the secret's UTF-8 bytes",
    async (algorithm) => {
      const body = new URLSearchParams()
      await clientSecretJwt(secret, { algorithm })(server, { client_id: 'orders' }, body, new Headers())
      const { payload, protectedHeader } = await jwtVerify(
        body.get('client_assertion') ?? '',
        Buffer.from(secret, 'utf8'),
      )
      expect(protectedHeader).toEqual({ alg: algorithm, typ: 'client-authentication+jwt' })
      const { iat = 0 } = payload
      expect(payload).toEqual({
        iss: 'orders',
        sub: 'orders',
        aud: 'https://as.example',
        jti: expect.stringMatching(/^[\w-]{36}$/) as string,
        iat,
        exp: iat + 60,
      })
      expect(Math.abs(iat * 1000 - Date.now())).toBeLessThan(60_000)
      expect(body.get('client_id')).toBe('orders')
      expect(body.get('client_assertion_type')).toBe('urn:ietf:params:oauth:client-assertion-type:jwt-bearer')
      expect(body.has('client_secret')).toBe(false)
    },
  )

  it('takes audience, typ and life as private_key_jwt does', async () => {
    const body = new URLSearchParams()
    const clientAuth = clientSecretJwt(secret, { audience: 'token-endpoint', type: 'JWT', expiresInMs: 30_000 })
    expect(clientAuth.needsIssuer).toBe(false)
    await clientAuth(server, { client_id: 'orders' }, body, new Headers())
    const { payload, protectedHeader } = await jwtVerify(body.get('client_assertion') ?? '', Buffer.from(secret))
    expect(protectedHeader.typ).toBe('JWT')
    expect(payload).toMatchObject({ aud: 'https://as.example/token', exp: (payload.iat ?? 0) + 30 })
  })

  it.each<[string, object, RegExp]>([
    ['an algorithm that is none of HMAC', { algorithm: 'RS256' }, /^clientSecretJwt: algorithm: expected one of HS256/],
    ['an empty audience', { audience: '' }, /^clientSecretJwt: audience/],
    ['no audience at all', { audience: [] }, /^clientSecretJwt: audience/],
    ['an audience that is no text', { audience: ['a', 1] }, /^clientSecretJwt: audience/],
    ['a typ that is no text', { type: true }, /^clientSecretJwt: type/],
    ['an endless life', { expiresInMs: Infinity }, /^clientSecretJwt: expiresInMs/],
  ])('refuses %s when it is made', (_name, options, message) => {
    expect(() => clientSecretJwt('s', options)).toThrow(TypeError)
    expect(() => clientSecretJwt('s', options)).toThrow(message)
  })

  it('asks for the issuer where the assertion is addressed to it', () => {
    const oauth = { tokenEndpoint: 'https://as.example/token', clientId: 'orders', clientAuth: clientSecretJwt('s') }
    expect(() => createTokenSource(oauth)).toThrow(/^issuer: must be given/)
  })
})
