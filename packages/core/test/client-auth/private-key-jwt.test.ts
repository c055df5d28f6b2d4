import { constants, createPrivateKey, generateKeyPairSync, sign, X509Certificate, type KeyObject } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { decodeJwt, decodeProtectedHeader, exportJWK, generateKeyPair, jwtVerify } from 'jose'
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { privateKeyJwt, type ClientAuth, type PrivateKey } from '../../src/index.ts'
import { driven, rejection, sourceAtEndpoint } from '../support.ts'
import { createSelfSigned } from './certificates.ts'

const server = { issuer: 'https://as.example', token_endpoint: 'https://as.example/token' }
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const pem = rsa.privateKey.export({ type: 'pkcs8', format: 'pem' })
const algorithms = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519']

async function assertionOf(clientAuth: ClientAuth): Promise<{ assertion: string; body: URLSearchParams }> {
  const body = new URLSearchParams()
  await clientAuth(server, { client_id: 'orders' }, body, new Headers())
  return { assertion: body.get('client_assertion') ?? '', body }
}

describe('private_key_jwt', () => {
  it('signs what RFC 7523 and its successor ask for', async () => {
    const { assertion, body } = await assertionOf(privateKeyJwt(pem, { keyId: 'k1' }))
    const { payload, protectedHeader } = await jwtVerify(assertion, rsa.publicKey)
    expect(protectedHeader).toEqual({ alg: 'RS256', typ: 'client-authentication+jwt', kid: 'k1' })
    expect(payload).toEqual({
      iss: 'orders',
      sub: 'orders',
      aud: 'https://as.example',
      jti: expect.stringMatching(/^[\w-]{36}$/) as string,
      iat: expect.any(Number) as number,
      exp: (payload.iat ?? 0) + 60,
    })
    expect(Object.fromEntries(body)).toEqual({
      client_id: 'orders',
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: assertion,
    })
  })

  it.each([
    ['token-endpoint', 'https://as.example/token'],
    ['both', ['https://as.example', 'https://as.example/token']],
    ['https://other.example/', 'https://other.example/'],
    [
      ['https://a.example/', 'https://b.example/'],
      ['https://a.example/', 'https://b.example/'],
    ],
  ])('addresses audience %s to %s', async (audience, aud) => {
    expect(decodeJwt((await assertionOf(privateKeyJwt(pem, { audience }))).assertion).aud).toEqual(aud)
  })

  it('leaves typ out, sends x5t, and lives as long as it is told', async () => {
    const { assertion } = await assertionOf(privateKeyJwt(pem, { type: false, x5t: 'abc', expiresInMs: 90_500 }))
    expect(decodeProtectedHeader(assertion)).toEqual({ alg: 'RS256', x5t: 'abc' })
    const { iat = 0, exp = 0 } = decodeJwt(assertion)
    expect(exp - iat).toBe(91)
  })

  it('computes x5t from the certificate', async () => {
    const { cert } = await createSelfSigned({ commonName: 'orders' })
    const { assertion } = await assertionOf(privateKeyJwt(pem, { x5t: { certificate: cert } }))
    // As Node.js tells it: in hexadecimal, with colons.
    const fingerprint = Buffer.from(new X509Certificate(cert).fingerprint.replaceAll(':', ''), 'hex')
    expect(decodeProtectedHeader(assertion)['x5t']).toBe(fingerprint.toString('base64url'))
  })

  // regressions S27, J41
  it('is a new assertion for each token request', async () => {
    const { server: endpoint, source } = await sourceAtEndpoint(undefined, {
      clientAuth: privateKeyJwt(pem, { audience: 'token-endpoint' }),
    })
    await source.get()
    await source.get({ forceRenewal: true })
    const ids = endpoint.requests.map(({ form }) => decodeJwt(form.get('client_assertion') ?? '').jti)
    expect(new Set(ids).size).toBe(2)
  })

  describe('keys', () => {
    const keys = new Map<string, [key: PrivateKey, algorithm: string, verify: Parameters<typeof jwtVerify>[1]]>()

    beforeAll(async () => {
      for (const algorithm of algorithms) {
        const { privateKey, publicKey } = await generateKeyPair(algorithm, { extractable: true })
        keys.set(`CryptoKey for ${algorithm}`, [privateKey, algorithm, publicKey])
        keys.set(`JWK for ${algorithm}`, [
          { ...(await exportJWK(privateKey)), alg: algorithm, kid: 'from-jwk' },
          algorithm,
          publicKey,
        ])
      }
      for (const type of ['pkcs1', 'pkcs8'] as const) {
        keys.set(`PEM as ${type}`, [rsa.privateKey.export({ type, format: 'pem' }), 'RS256', rsa.publicKey])
      }
      const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' })
      keys.set('PEM as SEC 1', [ec.privateKey.export({ type: 'sec1', format: 'pem' }), 'ES256', ec.publicKey])
      keys.set('KeyObject', [createPrivateKey(pem), 'RS256', rsa.publicKey])
    })

    it.each([
      ...algorithms.filter((name) => name !== 'Ed25519').map((name) => `CryptoKey for ${name}`),
      ...algorithms.map((name) => `JWK for ${name}`),
    ])('%s', async (name) => {
      const [key, algorithm, verify] = keys.get(name) ?? expect.fail(name)
      const { protectedHeader } = await jwtVerify((await assertionOf(privateKeyJwt(key))).assertion, verify)
      expect(protectedHeader.alg).toBe(algorithm)
      expect(protectedHeader.kid).toBe(name.startsWith('JWK') ? 'from-jwk' : undefined)
    })

    it("an Ed25519 key signs by the algorithm's newer name when told to", async () => {
      const [key, , verify] = keys.get('CryptoKey for EdDSA') ?? expect.fail()
      const { assertion } = await assertionOf(privateKeyJwt(key, { algorithm: 'Ed25519' }))
      expect((await jwtVerify(assertion, verify)).protectedHeader.alg).toBe('Ed25519')
    })

    it.each(['PEM as pkcs1', 'PEM as pkcs8', 'PEM as SEC 1', 'KeyObject'])('%s', async (name) => {
      const [key, algorithm, verify] = keys.get(name) ?? expect.fail(name)
      expect((await jwtVerify((await assertionOf(privateKeyJwt(key))).assertion, verify)).protectedHeader.alg).toBe(
        algorithm,
      )
    })

    it.each(['RS384', 'RS512', 'PS256', 'PS384', 'PS512'])(
      'an RSA key signs with %s when told to',
      async (algorithm) => {
        const { assertion } = await assertionOf(privateKeyJwt(pem, { algorithm }))
        expect((await jwtVerify(assertion, rsa.publicKey)).protectedHeader.alg).toBe(algorithm)
      },
    )
  })

  describe('is refused when it is made, and nothing of the key is told', () => {
    const publicPem = rsa.publicKey.export({ type: 'spki', format: 'pem' })
    const encrypted = rsa.privateKey.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' })
    const body = pem.split('\n')[1] ?? ''
    it.each<[string, () => unknown, RegExp]>([
      ['a public PEM', () => privateKeyJwt(publicPem), /^privateKeyJwt: key: expected a private key/],
      ['an encrypted PEM alone', () => privateKeyJwt(encrypted), /^privateKeyJwt: passphrase: must be given/],
      [
        'an encrypted PEM with another passphrase',
        () => privateKeyJwt(encrypted, { passphrase: 'y' }),
        /^privateKeyJwt: passphrase: the PEM of the key cannot be decrypted with it/,
      ],
      [
        'an RSA key of 1024 bits',
        () => privateKeyJwt(generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey),
        /^privateKeyJwt: key: expected an RSA key of at least 2048 bits/,
      ],
      [
        'a certificate for x5t that is a key',
        () => privateKeyJwt(pem, { x5t: { certificate: pem } }),
        /^privateKeyJwt: x5t.certificate: expected a certificate as PEM text/,
      ],
      [
        'an x5t of nothing',
        () => privateKeyJwt(pem, { x5t: {} as never }),
        /^privateKeyJwt: x5t.certificate: expected a certificate as PEM text/,
      ],
      ['an empty audience', () => privateKeyJwt(pem, { audience: '' }), /^privateKeyJwt: audience/],
      ['an empty path', () => privateKeyJwt({ file: '' }), /^privateKeyJwt: key: file: expected the path/],
      ['a PEM cut short', () => privateKeyJwt(pem.slice(0, 300)), /^privateKeyJwt: key: expected a private key/],
      ['no PEM at all', () => privateKeyJwt(body), /^privateKeyJwt: key: expected a private key/],
      [
        'a public JWK',
        () => privateKeyJwt(rsa.publicKey.export({ format: 'jwk' }) as never),
        /^privateKeyJwt: key: expected a private key/,
      ],
      ['a public KeyObject', () => privateKeyJwt(rsa.publicKey), /^privateKeyJwt: key: expected a private KeyObject/],
      ['undefined', () => privateKeyJwt(undefined as never), /^privateKeyJwt: key: expected a private key/],
      [
        'an algorithm of another kind of key',
        () => privateKeyJwt(pem, { algorithm: 'ES256' }),
        /^privateKeyJwt: algorithm: expected one of RS256/,
      ],
      ['algorithm none', () => privateKeyJwt(pem, { algorithm: 'none' }), /^privateKeyJwt: algorithm/],
      ['a life of nothing', () => privateKeyJwt(pem, { expiresInMs: 0 }), /^privateKeyJwt: expiresInMs/],
      [
        'a key that cannot sign',
        () => privateKeyJwt(generateKeyPairSync('x25519').privateKey),
        /^privateKeyJwt: algorithm: expected an RSA, EC or Ed25519 key/,
      ],
    ])('%s', (_name, make, message) => {
      expect(make).toThrow(TypeError)
      expect(make).toThrow(message)
      try {
        make()
      } catch (error) {
        expect(String((error as Error).stack)).not.toContain(body)
        expect((error as Error).cause).toBeUndefined()
      }
    })

    it('a public CryptoKey', async () => {
      const { publicKey } = await generateKeyPair('ES256')
      expect(() => privateKeyJwt(publicKey)).toThrow(/^privateKeyJwt: key: expected a private CryptoKey/)
    })
  })

  it.each<[string, () => string | Buffer]>([
    ['PKCS #8', () => rsa.privateKey.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' })],
    ['PKCS #1', () => rsa.privateKey.export({ type: 'pkcs1', format: 'pem', cipher: 'aes-128-cbc', passphrase: 'x' })],
  ])('an encrypted PEM of %s signs with its passphrase', async (_name, encrypted) => {
    const { assertion } = await assertionOf(privateKeyJwt(encrypted().toString(), { passphrase: 'x' }))
    expect((await jwtVerify(assertion, rsa.publicKey)).protectedHeader.alg).toBe('RS256')
  })

  it('a PEM in a file signs', async () => {
    const file = join(await mkdtemp(join(tmpdir(), 'tokenwell-')), 'key.pem')
    onTestFinished(() => rm(dirname(file), { recursive: true }))
    await writeFile(file, pem)
    const { assertion } = await assertionOf(privateKeyJwt({ file }, { keyId: 'k1' }))
    expect((await jwtVerify(assertion, rsa.publicKey)).protectedHeader).toMatchObject({ alg: 'RS256', kid: 'k1' })
  })

  it('a key from a provider brings its kid along as a JWK', async () => {
    const ec = generateKeyPairSync('ec', { namedCurve: 'P-384' })
    const clientAuth = privateKeyJwt(async () => ({ ...ec.privateKey.export({ format: 'jwk' }), kid: 'k7' }))
    const { protectedHeader } = await jwtVerify((await assertionOf(clientAuth)).assertion, ec.publicKey)
    expect(protectedHeader).toMatchObject({ alg: 'ES384', kid: 'k7' })
  })

  // regressions S22
  it.each<[string, unknown, string]>([
    ['a public key', rsa.publicKey, 'privateKeyJwt: key: expected a private KeyObject, got a public one'],
    ['nothing', undefined, 'privateKeyJwt: key: expected a private key as PEM text, JWK, CryptoKey or KeyObject'],
    [
      'a key of another algorithm',
      generateKeyPairSync('ed25519').privateKey,
      'privateKeyJwt: algorithm: expected one of EdDSA, Ed25519 for this key, not RS256',
    ],
  ])(
    'a provider of %s fails the token request with nothing sent, and is not remembered',
    async (_name, wrong, message) => {
      const keys: unknown[] = [wrong, pem]
      const { server: endpoint, source } = await sourceAtEndpoint(undefined, {
        clientAuth: privateKeyJwt((() => keys.shift()) as () => string, {
          audience: 'token-endpoint',
          algorithm: 'RS256',
        }),
      })
      expect(await rejection(source.get())).toMatchObject({ code: 'ERR_TOKENWELL_TOKEN_REQUEST', cause: { message } })
      expect(endpoint.requests).toHaveLength(0)
      expect((await source.get()).tokenType).toBe('Bearer')
    },
  )

  describe('signed elsewhere, by what never gives the key out', () => {
    const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const ed = generateKeyPairSync('ed25519')
    const pss = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 64 }
    const signers: Record<string, [sign: (data: Uint8Array) => Buffer, verify: KeyObject]> = {
      RS256: [(data) => sign('sha256', data, rsa.privateKey), rsa.publicKey],
      PS512: [(data) => sign('sha512', data, { key: rsa.privateKey, ...pss }), rsa.publicKey],
      ES256: [(data) => sign('sha256', data, { key: ec.privateKey, dsaEncoding: 'ieee-p1363' }), ec.publicKey],
      EdDSA: [(data) => sign(null, data, ed.privateKey), ed.publicKey],
    }

    it.each(Object.entries(signers))('%s', async (algorithm, [signer, verify]) => {
      const clientAuth = privateKeyJwt({ algorithm, keyId: 'hsm-1', sign: async (data) => signer(data) })
      const { payload, protectedHeader } = await jwtVerify((await assertionOf(clientAuth)).assertion, verify)
      expect(protectedHeader).toEqual({ alg: algorithm, typ: 'client-authentication+jwt', kid: 'hsm-1' })
      expect(payload).toMatchObject({ iss: 'orders', sub: 'orders', aud: 'https://as.example' })
    })

    it('is told when the attempt is given up', async () => {
      const given = Promise.withResolvers<AbortSignal | undefined>()
      const { source, clock } = await sourceAtEndpoint(undefined, {
        clientAuth: privateKeyJwt(
          {
            algorithm: 'ES256',
            sign: (_data, { signal }) => {
              given.resolve(signal)
              return new Promise(() => {})
            },
          },
          { audience: 'token-endpoint' },
        ),
      })
      const failed = rejection(driven(clock, source.get()))
      const signal = await given.promise
      await failed
      expect(signal?.aborted).toBe(true)
    })

    it.each<[string, unknown, string]>([
      [
        'DER',
        sign('sha256', Buffer.from('x'), ec.privateKey),
        'a signature of 64 bytes as a Uint8Array: r and s one after the other, not DER',
      ],
      ['nothing', undefined, 'a signature of 64 bytes'],
      ['text', 'x'.repeat(64), 'a signature of 64 bytes'],
    ])('refuses a signature that is %s, and sends nothing', async (_name, signature, expected) => {
      const { server: endpoint, source } = await sourceAtEndpoint(undefined, {
        clientAuth: privateKeyJwt(
          { algorithm: 'ES256', sign: () => signature as Uint8Array },
          { audience: 'token-endpoint' },
        ),
      })
      const { cause } = await rejection(source.get())
      expect((cause as Error).message).toContain(`privateKeyJwt: key.sign: expected ${expected}`)
      expect(endpoint.requests).toHaveLength(0)
    })

    it('refuses an empty RSA signature', async () => {
      const clientAuth = privateKeyJwt({ algorithm: 'RS256', sign: () => new Uint8Array() })
      await expect(assertionOf(clientAuth)).rejects.toThrow(/^privateKeyJwt: key.sign: expected the signature/)
    })

    it.each(['HS256', 'none', undefined])('refuses the algorithm %s when it is made', (algorithm) => {
      expect(() => privateKeyJwt({ algorithm: algorithm as string, sign: () => new Uint8Array() })).toThrow(
        /^privateKeyJwt: key.algorithm: expected one of RS256, .*, Ed25519$/,
      )
    })

    it('refuses another algorithm in the options', () => {
      const signer = { algorithm: 'ES256', sign: () => new Uint8Array() }
      expect(() => privateKeyJwt(signer, { algorithm: 'ES384' })).toThrow(/^privateKeyJwt: algorithm: is not that of/)
    })
  })
})
