import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { clientSecretBasic, clientSecretPost, type Secret } from '../../src/index.ts'
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

  it('sends ö byte for byte, and nothing of the client in the form', async () => {
    const { server, source } = await sourceAtEndpoint(undefined, { clientAuth: clientSecretBasic('ö') })
    await source.get()
    const [request] = server.requests
    expect(request?.headers.authorization).toBe(`Basic ${Buffer.from('orders:%C3%B6').toString('base64')}`)
    expect(request?.form.has('client_id')).toBe(false)
    expect(request?.form.has('client_secret')).toBe(false)
  })

  it('sends ö as two raw bytes when told to', async () => {
    const { server, source } = await sourceAtEndpoint(undefined, {
      clientAuth: clientSecretBasic('ö', { encoding: 'raw' }),
    })
    await source.get()
    const decoded = Buffer.from(server.requests[0]?.headers.authorization?.slice(6) ?? '', 'base64')
    expect(decoded).toEqual(Buffer.from([...Buffer.from('orders:'), 0xc3, 0xb6]))
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
})

// regressions S45
it('a refused client does not try another method: its secret is not sent twice', async () => {
  const { server, source } = await sourceAtEndpoint({ status: 401, body: { error: 'invalid_client' } })
  await rejection(source.get())
  expect(server.requests).toHaveLength(1)
  expect(server.requests[0]?.form.has('client_secret')).toBe(false)
})

describe.each<[string, (secret: Secret) => unknown]>([
  ['clientSecretBasic', clientSecretBasic],
  ['clientSecretPost', clientSecretPost],
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
      new TypeError(`${name}: secret: expected a non-empty string or a function that gives one`),
    )
  })

  it('asks a provider anew for each token request, so a rotated secret needs no restart', async () => {
    const secrets = ['first', 'second']
    const { server, source } = await sourceAtEndpoint(undefined, {
      clientAuth: (name === 'clientSecretBasic' ? clientSecretBasic : clientSecretPost)(
        async () => secrets.shift() ?? '',
      ),
    })
    await source.get()
    await source.get({ forceRenewal: true })
    const sent = server.requests.map(
      ({ headers, form }) =>
        form.get('client_secret') ??
        Buffer.from(headers.authorization?.slice(6) ?? '', 'base64')
          .toString()
          .split(':')[1],
    )
    expect(sent).toEqual(['first', 'second'])
  })

  it('sends nothing when the provider has no secret', async () => {
    const { server, source } = await sourceAtEndpoint(undefined, {
      clientAuth: (name === 'clientSecretBasic' ? clientSecretBasic : clientSecretPost)(() => ''),
    })
    expect(await rejection(source.get())).toMatchObject({ code: 'ERR_TOKENWELL_TOKEN_REQUEST' })
    expect(server.requests).toHaveLength(0)
  })
})
