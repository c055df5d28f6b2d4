import { createPrivateKey, generateKeyPairSync } from 'node:crypto'
import { decodeJwt, decodeProtectedHeader, exportJWK, generateKeyPair, jwtVerify } from 'jose'
import { beforeAll, describe, expect, it } from 'vitest'
import { privateKeyJwt, type ClientAuth, type PrivateKey } from '../../src/index.ts'
import { sourceAtEndpoint } from '../support.ts'

const server = { issuer: 'https://as.example', token_endpoint: 'https://as.example/token' }
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const pem = rsa.privateKey.export({ type: 'pkcs8', format: 'pem' })

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
      for (const algorithm of ['RS256', 'PS384', 'ES256', 'ES384', 'ES512', 'EdDSA']) {
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

    it.each(
      ['RS256', 'PS384', 'ES256', 'ES384', 'ES512', 'EdDSA'].flatMap((name) => [
        `CryptoKey for ${name}`,
        `JWK for ${name}`,
      ]),
    )('%s', async (name) => {
      const [key, algorithm, verify] = keys.get(name) ?? expect.fail(name)
      const { protectedHeader } = await jwtVerify((await assertionOf(privateKeyJwt(key))).assertion, verify)
      expect(protectedHeader.alg).toBe(algorithm)
      expect(protectedHeader.kid).toBe(name.startsWith('JWK') ? 'from-jwk' : undefined)
    })

    it.each(['PEM as pkcs1', 'PEM as pkcs8', 'PEM as SEC 1', 'KeyObject'])('%s', async (name) => {
      const [key, algorithm, verify] = keys.get(name) ?? expect.fail(name)
      expect((await jwtVerify((await assertionOf(privateKeyJwt(key))).assertion, verify)).protectedHeader.alg).toBe(
        algorithm,
      )
    })

    it.each(['RS384', 'PS256', 'PS512'])('an RSA key signs with %s when told to', async (algorithm) => {
      const { assertion } = await assertionOf(privateKeyJwt(pem, { algorithm }))
      expect((await jwtVerify(assertion, rsa.publicKey)).protectedHeader.alg).toBe(algorithm)
    })
  })

  describe('is refused when it is made, and nothing of the key is told', () => {
    const publicPem = rsa.publicKey.export({ type: 'spki', format: 'pem' })
    const encrypted = rsa.privateKey.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' })
    const body = pem.split('\n')[1] ?? ''
    it.each<[string, () => unknown, RegExp]>([
      ['a public PEM', () => privateKeyJwt(publicPem), /^privateKeyJwt: key: expected a private key/],
      ['an encrypted PEM', () => privateKeyJwt(encrypted), /^privateKeyJwt: key: the PEM is encrypted/],
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
})
