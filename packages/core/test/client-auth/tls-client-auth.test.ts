import { createPrivateKey } from 'node:crypto'
import { mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { createManualClock } from '@tokenwell/testing'
import { Agent } from 'undici'
import { beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest'
import {
  clientSecretBasic,
  createTokenSource,
  createUpstreams,
  tlsClientAuth,
  type OAuthOptions,
  type TlsCertificateSource,
  type TokenSource,
} from '../../src/index.ts'
import { rejection } from '../support.ts'
import { createAuthority, createSelfSigned, type Authority, type Identity } from './certificates.ts'
import { mutualTlsServer, type MutualTlsServer } from './mutual-tls-server.ts'

let authority: Authority
let orders: Identity
let renewed: Identity
let stranger: Identity
let expired: Identity
let encrypted: string
beforeAll(async () => {
  authority = await createAuthority()
  orders = await authority.issue({ commonName: 'orders' })
  // Another certificate, with the same key.
  renewed = await authority.issue({ commonName: 'orders', keys: orders.keys })
  stranger = await authority.issue({ commonName: 'stranger' })
  expired = await authority.issue({ commonName: 'orders', notAfter: new Date(Date.now() - 1000) })
  const cipher = { cipher: 'aes-256-cbc', passphrase: 'open sesame' }
  encrypted = createPrivateKey(orders.key).export({ type: 'pkcs8', format: 'pem', ...cipher })
})

async function startServer(): Promise<MutualTlsServer> {
  const server = await mutualTlsServer(authority)
  onTestFinished(() => server.close())
  return server
}

function sourceAt(
  server: MutualTlsServer,
  options: Partial<OAuthOptions> & Pick<OAuthOptions, 'clientAuth'>,
): TokenSource {
  const source = createTokenSource({ issuer: server.url, clientId: 'orders', ...options })
  onTestFinished(() => source.close())
  return source
}

function pem({ cert, key }: Identity): { cert: string; key: string; ca: string } {
  return { cert, key, ca: authority.ca }
}

async function folder(): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), 'tokenwell-'))
  onTestFinished(() => rm(made, { recursive: true }))
  return made
}

describe('tls_client_auth', () => {
  it('shows the certificate on the connection, and the client id alone in the form', async () => {
    const server = await startServer()
    const source = sourceAt(server, { clientAuth: tlsClientAuth(pem(orders)), scope: 'read' })
    expect((await source.get()).tokenType).toBe('Bearer')
    const request = server.requests.at(-1)
    expect(request).toMatchObject({ path: '/token', thumbprint: orders.thumbprint, authorization: undefined })
    expect(Object.fromEntries(request?.form ?? [])).toEqual({
      grant_type: 'client_credentials',
      client_id: 'orders',
      scope: 'read',
    })
  })

  it('is named in its options: issued by an authority, or self-signed and known by itself', async () => {
    expect(tlsClientAuth(pem(orders)).method).toBe('tls_client_auth')
    const own = await createSelfSigned({ commonName: 'whoever' })
    const clientAuth = tlsClientAuth(pem(own), { method: 'self_signed_tls_client_auth' })
    expect(clientAuth.method).toBe('self_signed_tls_client_auth')
    const server = await startServer()
    server.selfSigned.add(own.thumbprint)
    expect((await sourceAt(server, { clientAuth }).get()).tokenType).toBe('Bearer')
    const unknown = await createSelfSigned({ commonName: 'whoever' })
    const refused = sourceAt(server, { clientAuth: tlsClientAuth(pem(unknown)) })
    expect(await rejection(refused.get())).toMatchObject({ error: 'invalid_client' })
  })

  it('sends the chain between the certificate and its authority along', async () => {
    const other = await createAuthority('Other')
    const server = await startServer()
    const cert = `${orders.cert}\n${other.ca}`
    await sourceAt(server, { clientAuth: tlsClientAuth({ ...pem(orders), cert }) }).get()
    expect(server.requests.at(-1)?.thumbprint).toBe(orders.thumbprint)
  })

  it('trusts the authorities it is given and no others', async () => {
    const server = await startServer()
    const other = await createAuthority('Other')
    const withOther = sourceAt(server, { clientAuth: tlsClientAuth({ ...pem(orders), ca: other.ca }) })
    expect(await rejection(withOther.get())).toMatchObject({ code: 'ERR_TOKENWELL_SERVER_METADATA' })
    const { cert, key } = orders
    expect(await rejection(sourceAt(server, { clientAuth: tlsClientAuth({ cert, key }) }).get())).toMatchObject({
      code: 'ERR_TOKENWELL_SERVER_METADATA',
    })
    expect(server.requests).toHaveLength(0)
  })

  // regressions J42
  describe('with mtls_endpoint_aliases in the metadata', () => {
    it('asks the token endpoint that is for clients with a certificate', async () => {
      const [server, alias] = [await startServer(), await startServer()]
      server.metadata = { mtls_endpoint_aliases: { token_endpoint: `${alias.url}/mtls-token` } }
      await sourceAt(server, { clientAuth: tlsClientAuth(pem(orders)) }).get()
      expect(alias.requests.map(({ path }) => path)).toEqual(['/mtls-token'])
      expect(server.requests.map(({ path }) => path)).toEqual(['/.well-known/oauth-authorization-server'])
    })

    it('asks the usual one when the aliases have none', async () => {
      const server = await startServer()
      server.metadata = { mtls_endpoint_aliases: { revocation_endpoint: 'https://127.0.0.1:1/' } }
      await sourceAt(server, { clientAuth: tlsClientAuth(pem(orders)) }).get()
      expect(server.requests.at(-1)?.path).toBe('/token')
    })

    it('asks the usual one with any other method', async () => {
      const server = await startServer()
      server.metadata = { mtls_endpoint_aliases: { token_endpoint: 'http://elsewhere.example/' } }
      const dispatcher = new Agent({ connect: { ca: authority.ca } })
      onTestFinished(() => dispatcher.close())
      const source = sourceAt(server, { clientAuth: clientSecretBasic('s'), dispatcher })
      expect(await rejection(source.get())).toMatchObject({ error: 'invalid_client' })
      expect(server.requests.at(-1)?.path).toBe('/token')
    })

    it.each(['http://127.0.0.1:1/token', 'http://elsewhere.example/token', 'nowhere'])(
      'refuses %s',
      async (endpoint) => {
        const server = await startServer()
        server.metadata = { mtls_endpoint_aliases: { token_endpoint: endpoint } }
        const source = sourceAt(server, { clientAuth: tlsClientAuth(pem(orders)) })
        expect(await rejection(source.get())).toMatchObject({ code: 'ERR_TOKENWELL_SERVER_METADATA' })
        expect(server.requests).toHaveLength(1)
      },
    )
  })

  // regressions S8: MSAL kept the token of the certificate before, since the key was the same.
  it('gets another token with a renewed certificate, though its key is the same', async () => {
    const server = await startServer()
    let current = orders
    const source = sourceAt(server, { clientAuth: tlsClientAuth(() => pem(current)) })
    const first = await source.get()
    expect(await source.get()).toBe(first)
    current = renewed
    const second = await source.get({ forceRenewal: true })
    expect(second).not.toBe(first)
    expect(await source.get()).toBe(second)
    expect(source.peek()).toBe(second)
    // Back to the one before: so is its token.
    current = orders
    await source.get({ forceRenewal: true })
    expect(server.requests.filter(({ path }) => path === '/token').map(({ thumbprint }) => thumbprint)).toEqual([
      orders.thumbprint,
      renewed.thumbprint,
      orders.thumbprint,
    ])
  })

  // regressions S8, J5
  it('never shares a token between two certificates in one cache', async () => {
    const server = await startServer()
    const kept = new Map<string, unknown>()
    const cache = {
      get: (key: string) => kept.get(key) as never,
      set: (key: string, entry: unknown) => void kept.set(key, entry),
      delete: () => false,
    }
    const sourceWith = (identity: Identity) => sourceAt(server, { clientAuth: tlsClientAuth(pem(identity)), cache })
    const first = await sourceWith(orders).get()
    const second = await sourceWith(renewed).get()
    expect(second.value).not.toBe(first.value)
    expect((await sourceWith(orders).get()).value).toBe(first.value)
    expect(kept.size).toBe(2)
  })

  it('keeps a token under the certificate it was got with, which may be newer than the one when it was asked for', async () => {
    const server = await startServer()
    const kept = new Map<string, unknown>()
    const cache = {
      get: (key: string) => kept.get(key) as never,
      set: (key: string, entry: unknown) => void kept.set(key, entry),
      delete: () => false,
    }
    let current = orders
    const source = sourceAt(server, { clientAuth: tlsClientAuth(() => pem(current)), cache })
    await source.get()
    current = renewed
    const newer = await source.get({ forceRenewal: true })
    // Another process that has had the new certificate from the start.
    const other = sourceAt(server, { clientAuth: tlsClientAuth(pem(renewed)), cache })
    expect((await other.get()).value).toBe(newer.value)
  })

  it.each(['slow', 'down'])(
    'keeps using a usable token while one with a renewed certificate is on its way: %s',
    async (kind) => {
      const server = await startServer()
      const clock = createManualClock()
      let current = orders
      const provider = vi.fn(() => pem(current))
      const source = sourceAt(server, { clientAuth: tlsClientAuth(provider), clock, renewal: { jitter: 0 } })
      const held = await source.get()
      await clock.advance(held.expiresAt - clock.now() - 500_000)
      current = renewed
      const hold = Promise.withResolvers<void>()
      server.hold = hold.promise
      onTestFinished(() => hold.resolve())
      const before = server.requests.length
      if (kind === 'down') await server.close()
      const asked = provider.mock.calls.length
      expect(await source.get()).toBe(held)
      await expect.poll(() => provider.mock.calls.length).toBeGreaterThan(asked)
      if (kind === 'slow') await expect.poll(() => server.requests.length).toBe(before + 1)
      expect(await source.get()).toBe(held)
      expect(await source.get()).toBe(held)
      if (kind === 'down') return
      hold.resolve()
      await expect.poll(() => source.get()).not.toBe(held)
      expect(server.requests.at(-1)?.thumbprint).toBe(renewed.thumbprint)
      expect(server.requests).toHaveLength(before + 1)
    },
  )

  it('of a provider is asked for once when many calls come before the first token', async () => {
    const server = await startServer()
    const hold = Promise.withResolvers<void>()
    server.hold = hold.promise
    const source = sourceAt(server, { clientAuth: tlsClientAuth(() => pem(orders)) })
    const first = source.get()
    await expect.poll(() => server.requests.length).toBe(2)
    const others = Array.from({ length: 10 }, () => source.get())
    hold.resolve()
    expect(new Set(await Promise.all([first, ...others])).size).toBe(1)
    expect(server.requests.filter(({ path }) => path === '/token')).toHaveLength(1)
  })

  // regressions J42
  it('makes other connections for another certificate, and lets those before end what they have begun', async () => {
    const server = await startServer()
    const clock = createManualClock()
    let current = orders
    const source = sourceAt(server, { clientAuth: tlsClientAuth(() => pem(current)), clock })
    const hold = Promise.withResolvers<void>()
    server.hold = hold.promise
    const begun = source.get()
    await expect.poll(() => server.requests.length).toBe(2)
    current = renewed
    const forced = source.get({ forceRenewal: true })
    await expect.poll(() => server.requests.length).toBe(3)
    expect(new Set(server.openConnections)).toEqual(new Set([orders.thumbprint, renewed.thumbprint]))
    hold.resolve()
    const tokens = await Promise.all([begun, forced])
    expect(tokens.map(({ tokenType }) => tokenType)).toEqual(['Bearer', 'Bearer'])
    // Sooner than a connection that nobody uses would be closed.
    const soon = { timeout: 2000 }
    await expect.poll(() => server.openConnections, soon).toEqual([renewed.thumbprint])
    await source.close()
    await expect.poll(() => server.openConnections, soon).toEqual([])
    expect(clock.pendingTimers).toBe(0)
  })

  it('ends connections of a certificate before after half a minute, whatever they are doing', async () => {
    const server = await startServer()
    const clock = createManualClock()
    let current = orders
    const source = sourceAt(server, { clientAuth: tlsClientAuth(() => pem(current)), clock, timeoutMs: 100_000 })
    server.hold = new Promise(() => {})
    const begun = source.get().catch((error: unknown) => error)
    await expect.poll(() => server.requests.length).toBe(2)
    current = renewed
    const forced = source.get({ forceRenewal: true }).catch((error: unknown) => error)
    await expect.poll(() => server.requests.length).toBe(3)
    await clock.advance(29_999)
    expect(server.openConnections).toContain(orders.thumbprint)
    await clock.advance(1)
    await expect.poll(() => server.openConnections.includes(orders.thumbprint)).toBe(false)
    await source.close()
    await Promise.all([begun, forced])
    expect(clock.pendingTimers).toBe(0)
  })

  // regressions S37
  describe('from files', () => {
    it('that are replaced by swapping a symbolic link, uses the new pair with the next token request', async () => {
      vi.useFakeTimers({ toFake: ['performance'] })
      onTestFinished(() => void vi.useRealTimers())
      const server = await startServer()
      const at = await folder()
      for (const [name, { cert, key }] of Object.entries({
        old: orders,
        new: await authority.issue({ commonName: 'orders' }),
      })) {
        await writeFile(join(at, `${name}.crt`), `${cert}\n`)
        await writeFile(join(at, `${name}.key`), `${key}\n`)
      }
      const link = async (name: string) => {
        for (const kind of ['crt', 'key']) {
          await symlink(`${name}.${kind}`, join(at, `next.${kind}`))
          await rename(join(at, `next.${kind}`), join(at, `tls.${kind}`))
        }
      }
      await link('old')
      const files = { cert: { file: join(at, 'tls.crt') }, key: { file: join(at, 'tls.key') }, ca: authority.ca }
      const source = sourceAt(server, { clientAuth: tlsClientAuth(files) })
      await source.get()
      await link('new')
      vi.advanceTimersByTime(1000)
      await source.get({ forceRenewal: true })
      const [first, second] = server.requests.filter(({ path }) => path === '/token')
      expect(first?.thumbprint).toBe(orders.thumbprint)
      expect(second?.thumbprint).toBeDefined()
      expect(second?.thumbprint).not.toBe(first?.thumbprint)
    })

    it('reads both again when they do not belong together: one may just have been replaced', async () => {
      vi.useFakeTimers({ toFake: ['performance'] })
      onTestFinished(() => void vi.useRealTimers())
      const server = await startServer()
      const at = await folder()
      const other = await authority.issue({ commonName: 'orders' })
      const files = { cert: join(at, 'tls.crt'), key: join(at, 'tls.key') }
      await writeFile(files.cert, orders.cert)
      await writeFile(files.key, orders.key)
      const clientAuth = tlsClientAuth({ cert: { file: files.cert }, key: { file: files.key }, ca: authority.ca })
      const source = sourceAt(server, { clientAuth })
      const held = await source.get()
      vi.advanceTimersByTime(1000)
      await writeFile(files.cert, other.cert)
      const error = await rejection(source.get({ forceRenewal: true }))
      expect(error).toMatchObject({
        code: 'ERR_TOKENWELL_TOKEN_REQUEST',
        cause: { message: 'tlsClientAuth: key: is not that of the certificate' },
      })
      expect(await source.get()).toBe(held)
      // Within the second that both have been looked at.
      await writeFile(files.key, other.key)
      await source.get({ forceRenewal: true })
      expect(server.requests.at(-1)?.thumbprint).toBe(other.thumbprint)
    })
  })

  // regressions S37, J36, J43
  it('tries a refused certificate once more only if there is another one, and at once when there is', async () => {
    const server = await startServer()
    let current = stranger
    const source = sourceAt(server, { clientAuth: tlsClientAuth(async () => pem(current)) })
    const tokenRequests = () => server.requests.filter(({ path }) => path === '/token').length
    expect(await rejection(source.get())).toMatchObject({ error: 'invalid_client', fromCache: false })
    expect(tokenRequests()).toBe(1)
    expect(await rejection(source.get())).toMatchObject({ error: 'invalid_client', fromCache: true })
    expect(tokenRequests()).toBe(1)
    current = orders
    expect((await source.get()).tokenType).toBe('Bearer')
    expect(tokenRequests()).toBe(2)
  })

  it('is refused beside a dispatcher of the user, whose connections show what they show', () => {
    const dispatcher = new Agent()
    const oauth = {
      issuer: 'https://as.example',
      clientId: 'orders',
      clientAuth: tlsClientAuth(pem(orders)),
      dispatcher,
    }
    expect(() => createUpstreams({ billing: { baseUrl: 'https://api.example', oauth } })).toThrow(
      /^billing\.oauth\.dispatcher: not beside a clientAuth that shows a certificate, such as tlsClientAuth/,
    )
  })

  it('is refused with a token endpoint that has no TLS', () => {
    const oauth = {
      tokenEndpoint: 'http://127.0.0.1:1/token',
      clientId: 'orders',
      clientAuth: tlsClientAuth(pem(orders)),
    }
    expect(() => createTokenSource(oauth)).toThrow(/^tokenEndpoint: expected an https: URL/)
  })

  describe('is refused when it is made, and nothing of certificate or key is told', () => {
    it.each<[string, () => unknown, RegExp]>([
      ['nothing', () => undefined, /^tlsClientAuth: expected \{ cert, key \}/],
      ['a text', () => orders.cert, /^tlsClientAuth: expected \{ cert, key \}/],
      ['no certificate', () => ({ key: orders.key }), /^tlsClientAuth: cert: expected a non-empty string/],
      ['no key', () => ({ cert: orders.cert }), /^tlsClientAuth: key: expected a non-empty string/],
      [
        'an empty certificate',
        () => ({ cert: '', key: orders.key }),
        /^tlsClientAuth: cert: expected a non-empty string/,
      ],
      [
        'the key as certificate',
        () => ({ cert: orders.key, key: orders.key }),
        /^tlsClientAuth: cert: expected a certificate/,
      ],
      [
        'the certificate as key',
        () => ({ cert: orders.cert, key: orders.cert }),
        /^tlsClientAuth: key: expected a private key, got/,
      ],
      [
        'a key cut short',
        () => ({ cert: orders.cert, key: orders.key.slice(0, 90) }),
        /^tlsClientAuth: key: expected a private key/,
      ],
      [
        'the key of another certificate',
        () => ({ cert: orders.cert, key: stranger.key }),
        /^tlsClientAuth: key: is not that of/,
      ],
      ['an expired certificate', () => pem(expired), /^tlsClientAuth: cert: the certificate has expired/],
      [
        'an encrypted key alone',
        () => ({ cert: orders.cert, key: encrypted }),
        /^tlsClientAuth: passphrase: must be given/,
      ],
      [
        'a wrong passphrase',
        () => ({ cert: orders.cert, key: encrypted, passphrase: 'wrong' }),
        /^tlsClientAuth: passphrase: the PEM of the key cannot be decrypted/,
      ],
      ['an authority that is none', () => ({ ...pem(orders), ca: 'x' }), /^tlsClientAuth: ca: expected a certificate/],
      [
        'a file without a path',
        () => ({ ...pem(orders), key: { file: '' } }),
        /^tlsClientAuth: key: file: expected the path/,
      ],
    ])('%s', (_name, make, message) => {
      const attempt = () => tlsClientAuth(make() as TlsCertificateSource)
      expect(attempt).toThrow(TypeError)
      expect(attempt).toThrow(message)
      try {
        attempt()
      } catch (error) {
        for (const secret of [orders.key, encrypted, stranger.key]) {
          expect(inspect(error, { depth: 10, showHidden: true })).not.toContain(secret.split('\n')[1])
        }
      }
    })

    it('a method that is none', () => {
      expect(() => tlsClientAuth(pem(orders), { method: 'private_key_jwt' as never })).toThrow(
        /^tlsClientAuth: method:/,
      )
    })

    it('but an encrypted key with its passphrase is taken', async () => {
      const server = await startServer()
      const clientAuth = tlsClientAuth({ ...pem(orders), key: encrypted, passphrase: 'open sesame' })
      expect((await sourceAt(server, { clientAuth }).get()).tokenType).toBe('Bearer')
    })
  })

  // regressions S22, J60
  describe('fails the token request without anything being sent, and is not remembered', () => {
    it.each<[string, () => unknown, string]>([
      ['an expired certificate', () => pem(expired), 'tlsClientAuth: cert: the certificate has expired'],
      [
        'a certificate that is missing',
        () => ({ key: orders.key }),
        'tlsClientAuth: cert: the provider must give a non-empty string',
      ],
      [
        'a key of another certificate',
        () => ({ ...pem(orders), key: stranger.key }),
        'tlsClientAuth: key: is not that of the certificate',
      ],
      [
        'an authority that is empty',
        () => ({ ...pem(orders), ca: '' }),
        'tlsClientAuth: ca: the provider must give a non-empty string',
      ],
    ])('%s', async (_name, wrong, message) => {
      const server = await startServer()
      let current = wrong
      const source = sourceAt(server, { clientAuth: tlsClientAuth(() => current() as never) })
      expect(await rejection(source.get())).toMatchObject({
        code: 'ERR_TOKENWELL_TOKEN_REQUEST',
        fromCache: false,
        cause: { message },
      })
      expect(server.requests).toHaveLength(0)
      current = () => pem(orders)
      expect((await source.get()).tokenType).toBe('Bearer')
    })
  })
})
