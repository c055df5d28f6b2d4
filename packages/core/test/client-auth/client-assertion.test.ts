import { mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { inspect } from 'node:util'
import { tokenReply, type Reply } from '@tokenwell/testing'
import { UnsecuredJWT } from 'jose'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { clientAssertion, type AssertionRequest, type ClientAuth, type OAuthOptions } from '../../src/index.ts'
import { driven, rejection, sourceAtEndpoint, tokenEndpoint } from '../support.ts'

const jwtBearer = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
const jwtSpiffe = 'urn:ietf:params:oauth:client-assertion-type:jwt-spiffe'
const invalidClient = { status: 401, body: { error: 'invalid_client' } }

/** An assertion that nobody verifies; `name` tells one from another. */
function assertion(name: string, expiresInSeconds: number | undefined = 600): string {
  const jwt = new UnsecuredJWT({ sub: name })
  if (expiresInSeconds !== undefined) jwt.setExpirationTime(new Date(Date.now() + expiresInSeconds * 1000))
  return `${jwt.encode()}c2ln`
}

async function projectedToken(content: string): Promise<string> {
  const file = join(await mkdtemp(join(tmpdir(), 'tokenwell-')), 'token')
  onTestFinished(() => rm(dirname(file), { recursive: true }))
  await writeFile(file, content)
  return file
}

function sourceWith(clientAuth: ClientAuth, reply?: Reply, options: Partial<OAuthOptions> = {}) {
  return sourceAtEndpoint(reply, { clientAuth, ...options })
}

function withoutRealTime(): void {
  vi.useFakeTimers({ toFake: ['performance'] })
  onTestFinished(() => void vi.useRealTimers())
}

// regressions S37
describe('an assertion in a file', () => {
  it('is sent as it is, as long as it is there, without the newline at its end', async () => {
    const jwt = assertion('pod')
    const { source, server } = await sourceWith(clientAssertion({ file: await projectedToken(`${jwt}\n`) }))
    await source.get()
    await source.get({ forceRenewal: true })
    for (const { form, headers } of server.requests) {
      expect(headers.authorization).toBeUndefined()
      expect(Object.fromEntries(form)).toEqual({
        grant_type: 'client_credentials',
        client_id: 'orders',
        client_assertion_type: jwtBearer,
        client_assertion: jwt,
      })
    }
    expect(server.requests).toHaveLength(2)
  })

  it('may be a SPIFFE JWT-SVID, with the assertion type and the method of its own', async () => {
    const clientAuth = clientAssertion({ file: await projectedToken(assertion('svid')) }, { assertionType: jwtSpiffe })
    const { source, server } = await sourceWith(clientAuth)
    await source.get()
    expect(server.requests[0]?.form.get('client_assertion_type')).toBe(jwtSpiffe)
    expect(clientAuth.method).toBe('spiffe_jwt')
    expect(clientAssertion({ file: 'x' }).method).toBe('private_key_jwt')
  })

  // As the kubelet does it: a folder of data behind a link that is swapped.
  it('that is replaced by swapping a link is read again, but looked at once a second at most', async () => {
    withoutRealTime()
    const file = await projectedToken(assertion('first'))
    const at = dirname(file)
    await rename(file, join(at, 'first'))
    await writeFile(join(at, 'second'), assertion('second'))
    await symlink('first', file)
    const { source, server } = await sourceWith(clientAssertion({ file }))
    await source.get()
    await symlink('second', join(at, 'next'))
    await rename(join(at, 'next'), file)
    vi.advanceTimersByTime(999)
    await source.get({ forceRenewal: true })
    vi.advanceTimersByTime(1)
    await source.get({ forceRenewal: true })
    const sent = server.requests.map(({ form }) => form.get('client_assertion'))
    expect(sent[1]).toBe(sent[0])
    expect(sent[2]).toBe(assertionIn(sent, 'second'))
  })

  it('that is written over, even with one of the same length, is read again', async () => {
    withoutRealTime()
    const file = await projectedToken(assertion('aaa'))
    const { source, server } = await sourceWith(clientAssertion({ file }))
    await source.get()
    await writeFile(file, assertion('bbb'))
    vi.advanceTimersByTime(1000)
    await source.get({ forceRenewal: true })
    const sent = server.requests.map(({ form }) => form.get('client_assertion'))
    expect(sent[1]).toBe(assertionIn(sent, 'bbb'))
  })

  it('that was refused is read again at once, and sent once more only if it changed', async () => {
    withoutRealTime()
    const file = await projectedToken(assertion('old'))
    const { source, server } = await sourceWith(clientAssertion({ file }))
    server.respondWith(
      async () => {
        await writeFile(file, assertion('new'))
        return invalidClient
      },
      () => tokenReply(),
    )
    await source.get()
    expect(server.requests).toHaveLength(2)
    server.respondWith(invalidClient)
    source.invalidate(await source.get())
    expect(await rejection(source.get())).toMatchObject({ error: 'invalid_client', fromCache: false })
    expect(server.requests).toHaveLength(3)
  })

  it.each<[string, () => string, string]>([
    ['expired', () => assertion('x', -1), 'clientAssertion: the assertion has expired'],
    ['empty', () => '', 'clientAssertion: file: the file is empty'],
    ['a newline', () => '\n', 'clientAssertion: file: the file is empty'],
    ['no JWT', () => 'not.a jwt', 'clientAssertion: the assertion is not a JWT'],
    ['a JWT cut short', () => assertion('x').slice(0, 10), 'clientAssertion: the assertion is not a JWT'],
  ])('that is %s is not sent; the next one is, as soon as it is there', async (_name, content, message) => {
    withoutRealTime()
    const file = await projectedToken(content())
    const { source, server } = await sourceWith(clientAssertion({ file }))
    const error = await rejection(source.get())
    expect(error).toMatchObject({ code: 'ERR_TOKENWELL_TOKEN_REQUEST', fromCache: false, cause: { message } })
    if (content().trim() !== '') expect(inspect(error, { depth: 10 })).not.toContain(content().trim())
    await writeFile(file, assertion('good'))
    vi.advanceTimersByTime(1000)
    expect((await source.get()).tokenType).toBe('Bearer')
    expect(server.requests).toHaveLength(1)
  })

  it('that is missing is told without its path, and nothing is sent', async () => {
    const { source, server } = await sourceWith(clientAssertion({ file: '/nowhere/to/be/found' }))
    const error = await rejection(source.get())
    expect(error).toMatchObject({
      code: 'ERR_TOKENWELL_TOKEN_REQUEST',
      cause: { message: 'clientAssertion: file: the file cannot be read', code: 'ENOENT' },
    })
    expect(inspect(error, { depth: 10 })).not.toContain('nowhere')
    expect(server.requests).toHaveLength(0)
  })

  it('that does not say when it expires is sent', async () => {
    const { source } = await sourceWith(clientAssertion({ file: await projectedToken(new UnsecuredJWT({}).encode()) }))
    expect((await source.get()).tokenType).toBe('Bearer')
  })

  it('is not looked into when it is encrypted or no JWT by its type', async () => {
    const saml = 'urn:ietf:params:oauth:client-assertion-type:saml2-bearer'
    for (const [content, options] of [
      ['aaa.bbb.ccc.ddd.eee', {}],
      ['PHNhbWw+', { assertionType: saml }],
    ] as const) {
      const { source, server } = await sourceWith(clientAssertion({ file: await projectedToken(content) }, options))
      await source.get()
      expect(server.requests[0]?.form.get('client_assertion')).toBe(content)
    }
  })
})

describe('an assertion from a function', () => {
  it('is asked for in each attempt, by issuer, token endpoint, client and number', async () => {
    const asked: AssertionRequest[] = []
    const server = await tokenEndpoint()
    server.respondWith({ body: { issuer: server.url, token_endpoint: `${server.url}/token` } }, { status: 503 }, () =>
      tokenReply(),
    )
    const clientAuth = clientAssertion(async (request) => {
      asked.push(request)
      return assertion(`${request.attempt}`)
    })
    const { source, clock } = await sourceWith(clientAuth, undefined, { issuer: server.url, tokenEndpoint: undefined })
    await driven(clock, source.get())
    const about = { issuer: server.url, tokenEndpoint: `${server.url}/token`, clientId: 'orders' }
    expect(asked).toEqual([
      { ...about, attempt: 1, signal: expect.any(AbortSignal) as AbortSignal },
      { ...about, attempt: 2, signal: expect.any(AbortSignal) as AbortSignal },
    ])
    const sent = server.requests.slice(1).map(({ form }) => form.get('client_assertion'))
    expect(sent).toEqual([assertionIn(sent, '1'), assertionIn(sent, '2')])
  })

  it('is told no issuer where none is configured', async () => {
    const provider = vi.fn((_request: AssertionRequest) => assertion('x'))
    const { source, server } = await sourceWith(clientAssertion(provider))
    await source.get()
    expect(provider).toHaveBeenCalledWith(
      expect.objectContaining({ issuer: undefined, tokenEndpoint: `${server.url}/token` }),
    )
  })

  it('may bring its type along, and when it expires', async () => {
    let expiresAt = Date.now() + 60_000
    const { source, server } = await sourceWith(
      clientAssertion(() => ({ assertion: 'opaque', assertionType: 'urn:example:own', expiresAt })),
    )
    await source.get()
    expect(server.requests[0]?.form.get('client_assertion_type')).toBe('urn:example:own')
    expiresAt = Date.now() - 1
    expect(await rejection(source.get({ forceRenewal: true }))).toMatchObject({
      cause: { message: 'clientAssertion: the assertion has expired' },
    })
    expect(server.requests).toHaveLength(1)
  })

  // regressions J36
  it('that was refused is not asked for again, for it differs each time: only a version tells that it would help', async () => {
    let made = 0
    const { source, server } = await sourceWith(
      clientAssertion(() => assertion(`${(made += 1)}`)),
      invalidClient,
    )
    await rejection(source.get())
    expect(await rejection(source.get())).toMatchObject({ fromCache: true })
    expect([made, server.requests.length]).toEqual([1, 1])

    let version = 'key 1'
    const versioned = await sourceWith(
      clientAssertion(() => ({ assertion: assertion(`${(made += 1)}`), version })),
      invalidClient,
    )
    await rejection(versioned.source.get())
    await rejection(versioned.source.get())
    expect(versioned.server.requests).toHaveLength(1)
    version = 'key 2'
    versioned.server.respondWith(() => tokenReply())
    expect((await versioned.source.get()).tokenType).toBe('Bearer')
  })

  it.each([undefined, null, '', 42, {}, { assertion: '' }])('that is %j fails the token request', async (given) => {
    const { source, server } = await sourceWith(clientAssertion((() => given) as never))
    expect(await rejection(source.get())).toMatchObject({
      code: 'ERR_TOKENWELL_TOKEN_REQUEST',
      cause: { message: 'clientAssertion: the provider must give a non-empty assertion' },
    })
    expect(server.requests).toHaveLength(0)
  })
})

it.each<[string, () => unknown, RegExp]>([
  ['nothing', () => clientAssertion(undefined as never), /^clientAssertion: expected \{ file \} or a function/],
  [
    'an assertion as it is',
    () => clientAssertion('eyJ' as never),
    /^clientAssertion: expected \{ file \} or a function/,
  ],
  ['a file without a path', () => clientAssertion({ file: '' }), /^clientAssertion: file: file: expected the path/],
  ['an empty type', () => clientAssertion({ file: 'x' }, { assertionType: '' }), /^clientAssertion: assertionType/],
])('%s is refused when it is made', (_name, make, message) => {
  expect(make).toThrow(TypeError)
  expect(make).toThrow(message)
})

/** The one of these whose subject this is. */
function assertionIn(sent: readonly (string | null)[], subject: string): string {
  const found = sent.find((jwt) => {
    const claims = JSON.parse(Buffer.from(jwt?.split('.')[1] ?? '', 'base64url').toString()) as { sub?: string }
    return claims.sub === subject
  })
  return found ?? expect.fail(`none is of ${subject}`)
}
