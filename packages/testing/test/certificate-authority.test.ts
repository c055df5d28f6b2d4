import { createHash, X509Certificate } from 'node:crypto'

import { beforeAll, describe, expect, test } from 'vitest'

import { createCertificateAuthority, type CertificateAuthority, type IssuedCertificate } from '../src/index.ts'

const parse = ({ cert }: { cert: string }) => new X509Certificate(cert)
const dayMs = 24 * 60 * 60 * 1000

let authority: CertificateAuthority
beforeAll(async () => {
  authority = await createCertificateAuthority()
})

describe('a certificate that the authority issues', () => {
  test('is signed by the authority', async () => {
    const [root, issued] = [parse(authority), parse(await authority.issue({ commonName: 'orders' }))]
    expect([root.ca, issued.ca]).toEqual([true, false])
    expect(issued.checkIssued(root)).toBe(true)
    expect(issued.verify(root.publicKey)).toBe(true)
    expect(issued.verify(parse(await createCertificateAuthority()).publicKey)).toBe(false)
  })

  test('has the names it was asked for', async () => {
    const sans = ['orders.example.com', '127.0.0.1', 'spiffe://example.com/orders', 'orders@example.com']
    const issued = await authority.issue({ commonName: 'orders', sans })
    expect(issued.subject).toBe('CN=orders')
    expect(parse(issued).subjectAltName).toBe(
      'DNS:orders.example.com, IP Address:127.0.0.1, URI:spiffe://example.com/orders, email:orders@example.com',
    )
  })

  test.each([
    ['client', ['1.3.6.1.5.5.7.3.2']],
    ['server', ['1.3.6.1.5.5.7.3.1']],
    [undefined, ['1.3.6.1.5.5.7.3.2', '1.3.6.1.5.5.7.3.1']],
  ] as const)('is for the usage %s', async (usage, oids) => {
    const issued = await authority.issue({ commonName: 'orders', ...(usage && { usage }) })
    expect(parse(issued).keyUsage).toEqual(oids)
  })

  test('is told by the thumbprints of the whole certificate', async () => {
    const issued = await authority.issue({ commonName: 'orders' })
    const digest = (algorithm: string) => createHash(algorithm).update(parse(issued).raw).digest('base64url')
    expect([issued.x5t, issued.x5tS256]).toEqual([digest('sha1'), digest('sha256')])
  })

  test('lives for a day, for so many days, or until a time that may be past', async () => {
    const end = async (options: object) =>
      Date.parse(parse(await authority.issue({ commonName: 'orders', ...options })).validTo)
    expect(await end({})).toBeCloseTo(Date.now() + dayMs, -5)
    expect(await end({ days: 7 })).toBeCloseTo(Date.now() + 7 * dayMs, -5)
    const past = new Date('2020-02-02T02:02:02Z')
    expect(await end({ notAfter: past })).toBe(past.getTime())
  })

  test('has a key of the algorithm, in all its forms', async () => {
    const belongs = (issued: IssuedCertificate) => [
      parse(issued).publicKey.asymmetricKeyType,
      issued.keyPair.privateKey.algorithm.name,
      issued.key.startsWith('-----BEGIN PRIVATE KEY-----\n'),
    ]
    expect(belongs(await authority.issue({ commonName: 'a' }))).toEqual(['ec', 'ECDSA', true])
    const rsa = await authority.issue({ commonName: 'a', algorithm: 'RS256' })
    expect(belongs(rsa)).toEqual(['rsa', 'RSASSA-PKCS1-v1_5', true])
  })
})

test('a renewed certificate has the same key and is another certificate', async () => {
  const first = await authority.issue({ commonName: 'orders' })
  const second = await authority.issue({ commonName: 'orders', keyPair: first.keyPair })
  expect(second.key).toBe(first.key)
  expect(parse(second).publicKey.equals(parse(first).publicKey)).toBe(true)
  expect(second.x5tS256).not.toBe(first.x5tS256)
})

test.each(['ES256', 'RS256'] as const)('a self-signed certificate is signed by its own key, %s', async (algorithm) => {
  const certificate = parse(await authority.issue({ commonName: 'orders', selfSigned: true, algorithm }))
  expect(certificate.verify(certificate.publicKey)).toBe(true)
  expect(certificate.checkIssued(parse(authority))).toBe(false)
  expect(certificate.issuer).toBe(certificate.subject)
})

test.each([
  ['without a name', { commonName: '' }],
  ['that ends before it begins', { commonName: 'a', notBefore: new Date(2000), notAfter: new Date(1000) }],
  ['that ends at no time', { commonName: 'a', notAfter: new Date(Number.NaN) }],
])('a certificate %s is refused', async (_name, options) => {
  await expect(authority.issue(options)).rejects.toThrow(TypeError)
})
