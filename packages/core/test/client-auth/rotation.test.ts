import { execFileSync } from 'node:child_process'
import { createPrivateKey, generateKeyPairSync, webcrypto } from 'node:crypto'
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { tokenReply, type RecordedRequest, type Reply } from '@tokenwell/testing'
import { decodeJwt, generateKeyPair } from 'jose'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import {
  clientCredentials,
  clientSecretBasic,
  clientSecretJwt,
  clientSecretPost,
  privateKeyJwt,
  TokenRequestError,
  type ClientAuth,
  type ClientAuthAttempt,
  type Secrets,
} from '../../src/index.ts'
import { driven, rejection, sourceAtEndpoint } from '../support.ts'

const perTenant = clientCredentials({ parameters: ({ tenant }) => ({ tenant: tenant ?? '' }) })
const invalidClient = { status: 401, body: { error: 'invalid_client' } }

/** A client of a server that takes these secrets; both change as the test goes on. */
async function rotating(secret: Secrets, accepted: string[]) {
  const secrets = new Set(accepted)
  const world = { accepted: secrets, sent: [] as string[] }
  const reply: Reply = ({ form }) => {
    world.sent.push(form.get('client_secret') ?? '')
    return secrets.has(world.sent.at(-1) ?? '') ? tokenReply() : invalidClient
  }
  return { ...(await sourceAtEndpoint(reply, { clientAuth: clientSecretPost(secret), grant: perTenant })), world }
}

const secretOf = ({ form }: RecordedRequest) => form.get('client_secret')

describe('a provider of secrets', () => {
  it('is asked once for each attempt, never twice for one', async () => {
    const secrets = ['one', 'two', 'three']
    const provider = vi.fn(async () => secrets.shift() ?? 'none')
    const replies: Reply[] = [{ status: 503 }, { reset: true }, () => tokenReply()]
    const { source, clock, server } = await sourceAtEndpoint(undefined, { clientAuth: clientSecretPost(provider) })
    server.respondWith(...replies)
    await driven(clock, source.get())
    expect(server.requests.map(secretOf)).toEqual(['one', 'two', 'three'])
    expect(provider).toHaveBeenCalledTimes(3)
    await source.get()
    expect(provider).toHaveBeenCalledTimes(3)
  })

  // regressions S37, S45, J36
  it('is asked once more when its secret was refused, and the same one is not sent twice', async () => {
    const provider = vi.fn(() => 'wrong')
    const { source, world } = await rotating(provider, ['right'])
    expect(await rejection(source.get())).toMatchObject({ error: 'invalid_client', fromCache: false })
    expect(provider).toHaveBeenCalledTimes(2)
    expect(world.sent).toEqual(['wrong'])
  })

  // regressions S37
  it('that has another secret by then, is believed: the caller notices nothing', async () => {
    const secrets = ['old', 'new', 'never asked for']
    const { source, world } = await rotating(() => secrets.shift() ?? '', ['new'])
    expect((await source.get()).tokenType).toBe('Bearer')
    expect(world.sent).toEqual(['old', 'new'])
    expect(secrets).toEqual(['never asked for'])
  })

  it('is not believed a third time in one token request', async () => {
    let count = 0
    const { source, world } = await rotating(() => `wrong ${(count += 1)}`, ['right'])
    expect(await rejection(source.get())).toMatchObject({ error: 'invalid_client' })
    expect(world.sent).toEqual(['wrong 1', 'wrong 2'])
  })

  it('may tell a version: a value that differs is the same credential, one that does not may be another', async () => {
    const given = [
      { value: 'a', version: '1' },
      { value: 'b', version: '1' },
      { value: 'b', version: '2' },
    ]
    const { source, world } = await rotating(() => given.shift() ?? { value: 'c', version: '2' }, ['c'])
    expect(await rejection(source.get())).toMatchObject({ fromCache: false })
    expect(world.sent).toEqual(['a'])
    expect(await rejection(source.get())).toMatchObject({ fromCache: false })
    expect(world.sent).toEqual(['a', 'b'])
  })

  it.each([
    ['a number as version', { value: 'a', version: 1 }],
    ['no value', { value: undefined, version: '1' }],
    ['a number', 42],
    ['nothing', undefined],
  ])('that gives %s fails the token request, which is not remembered', async (_name, given) => {
    const all: unknown[] = [given, 'right']
    const { source, world } = await rotating((() => all.shift()) as () => string, ['right'])
    const error = await rejection(source.get())
    expect(error).toBeInstanceOf(TokenRequestError)
    expect((error.cause as Error).message).toMatch(/^clientSecretPost: secret: the .*provider.* must/)
    expect((await source.get()).tokenType).toBe('Bearer')
    expect(world.sent).toEqual(['right'])
  })

  it('is not asked once more when the client may not do what it asks for, however it proves who it is', async () => {
    const provider = vi.fn(() => `secret ${provider.mock.calls.length}`)
    const { source, server } = await sourceAtEndpoint(
      { status: 400, body: { error: 'unauthorized_client' } },
      { clientAuth: clientSecretPost(provider) },
    )
    await rejection(source.get())
    expect(provider).toHaveBeenCalledTimes(1)
    expect(server.requests).toHaveLength(1)
  })

  it('keeps its new secret in mind when the attempt with it meets trouble', async () => {
    let current = 'old'
    const { source, clock, server } = await sourceAtEndpoint(undefined, { clientAuth: clientSecretPost(() => current) })
    server.respondWith(
      () => {
        current = 'new'
        return invalidClient
      },
      { status: 503 },
      () => tokenReply(),
    )
    expect((await driven(clock, source.get())).tokenType).toBe('Bearer')
    expect(server.requests.map(secretOf)).toEqual(['old', 'new', 'new'])
  })
})

it('a refused secret is replaced once in one token request, however many attempts that takes', async () => {
  let count = 0
  const { source, clock, server } = await sourceAtEndpoint(undefined, {
    clientAuth: clientSecretPost(() => `${(count += 1)}`),
  })
  server.respondWith(invalidClient, { status: 503 }, invalidClient, () => tokenReply())
  expect(await rejection(driven(clock, source.get()))).toMatchObject({ error: 'invalid_client' })
  expect(server.requests.map(secretOf)).toEqual(['1', '2', '3'])
})

describe('while a refused secret is remembered', () => {
  // regressions J36, J43
  it('a rotated one is used with the next call: no restart, no waiting', async () => {
    let current = 'old'
    const { source, world, clock } = await rotating(() => current, ['new'])
    await rejection(source.get())
    const before = clock.now()
    current = 'new'
    expect((await source.get()).tokenType).toBe('Bearer')
    expect((await source.get({ context: { tenant: 'other' } })).tokenType).toBe('Bearer')
    expect(clock.now()).toBe(before)
    expect(world.sent).toEqual(['old', 'new', 'new'])
  })

  // regressions J36
  it('thirty callers at once ask the provider once, and nothing is sent', async () => {
    const provider = vi.fn(async () => 'wrong')
    const { source, world } = await rotating(provider, ['right'])
    await rejection(source.get())
    provider.mockClear()
    const errors = await Promise.all(
      Array.from({ length: 30 }, (_, index) => rejection(source.get({ context: { tenant: `${index % 3}` } }))),
    )
    expect(provider).toHaveBeenCalledTimes(1)
    expect(world.sent).toEqual(['wrong'])
    for (const error of errors) expect(error).toMatchObject({ error: 'invalid_client', fromCache: true })
    expect(new Set(errors).size).toBe(30)
  })

  it('a secret that cannot change is not read at all, and nothing is sent', async () => {
    const { source, world } = await rotating('wrong', ['right'])
    const first = (await rejection(source.get())) as TokenRequestError
    expect(await rejection(source.get())).toMatchObject({ fromCache: true, message: first.message })
    expect(world.sent).toEqual(['wrong'])
  })

  it('asking again does not make the time longer, and when it is over the same secret is tried once', async () => {
    const { source, world, clock } = await rotating(() => 'secret', [])
    await rejection(source.get())
    for (let call = 0; call < 5; call++) {
      expect(await rejection(source.get())).toMatchObject({ fromCache: true })
    }
    const { retryAt: until = 0 } = (await rejection(source.get())) as TokenRequestError
    world.accepted.add('secret')
    await clock.advance(Math.floor(until - clock.now()) - 1)
    expect(await rejection(source.get())).toMatchObject({ fromCache: true })
    await clock.advance(2)
    expect((await source.get()).tokenType).toBe('Bearer')
    expect(world.sent).toEqual(['secret', 'secret'])
  })

  it('a provider that fails is told as that failure, and what was remembered still is', async () => {
    const given: (string | Error)[] = ['wrong', 'wrong', new Error('the vault is sealed'), 'wrong', 'right']
    const { source, world } = await rotating(() => {
      const next = given.shift() ?? ''
      if (next instanceof Error) throw next
      return next
    }, ['right'])
    await rejection(source.get())
    expect(await rejection(source.get())).toMatchObject({
      fromCache: false,
      error: undefined,
      cause: { message: 'the vault is sealed' },
    })
    expect(await rejection(source.get())).toMatchObject({ error: 'invalid_client', fromCache: true })
    expect((await source.get()).tokenType).toBe('Bearer')
    expect(world.sent).toEqual(['wrong', 'right'])
  })

  it('a secret that is another one each time does not make a request of each call', async () => {
    let count = 0
    const { source, world } = await rotating(() => `wrong ${(count += 1)}`, [])
    for (let call = 0; call < 100; call++) await rejection(source.get())
    expect(world.sent.length).toBeLessThanOrEqual(10)
  })

  it('another secret that the server knows ends it, even if this request is refused for another reason', async () => {
    let current = 'old'
    const { source, server } = await sourceAtEndpoint(
      ({ form }) => {
        if (secretOf({ form } as RecordedRequest) === 'old') return invalidClient
        return form.get('tenant') === 'bad' ? { status: 400, body: { error: 'invalid_scope' } } : tokenReply()
      },
      { clientAuth: clientSecretPost(() => current), grant: perTenant },
    )
    await rejection(source.get())
    current = 'new'
    expect(await rejection(source.get({ context: { tenant: 'bad' } }))).toMatchObject({ error: 'invalid_scope' })
    const tenants = ['one', 'two', 'three']
    await Promise.all(tenants.map((tenant) => source.get({ context: { tenant } })))
    expect(server.requests).toHaveLength(5)
  })

  it('another secret that is refused too starts with short pauses again', async () => {
    let current = 'first'
    const { source, clock } = await rotating(() => current, [])
    const pauses: number[] = []
    const fail = async () => {
      const before = clock.now()
      await rejection(source.get())
      const { retryAt = 0 } = (await rejection(source.get())) as TokenRequestError
      pauses.push(retryAt - before)
    }
    for (let round = 0; round < 6; round++) {
      await fail()
      await clock.advance((pauses.at(-1) ?? 0) + 1)
    }
    expect(pauses.at(-1)).toBeGreaterThan(5000)
    current = 'second'
    await fail()
    expect(pauses.at(-1)).toBeLessThanOrEqual(5000)
  })
})

describe('two secrets, the current one and the one before', () => {
  it.each<[string, Secrets]>([
    ['as texts', ['current', 'previous']],
    ['from providers', [() => 'current', async () => 'previous']],
    ['of which one may change', [() => ({ value: 'current', version: '7' }), 'previous']],
  ])('%s: the one before is tried once when the current one is refused', async (_name, secrets) => {
    const { source, world } = await rotating(secrets, ['previous'])
    expect((await source.get()).tokenType).toBe('Bearer')
    expect(world.sent).toEqual(['current', 'previous'])
    world.accepted.add('current')
    await source.get({ forceRenewal: true })
    expect(world.sent.slice(2)).toEqual(['current'])
  })

  it('are each sent once when both are refused', async () => {
    const { source, world } = await rotating(['current', 'previous'], [])
    expect(await rejection(source.get())).toMatchObject({ error: 'invalid_client', fromCache: false })
    expect(await rejection(source.get())).toMatchObject({ error: 'invalid_client', fromCache: true })
    expect(world.sent).toEqual(['current', 'previous'])
  })

  it('the one before is not asked for as long as the current one is good', async () => {
    const previous = vi.fn(() => 'previous')
    const { source } = await rotating([() => 'current', previous], ['current'])
    await source.get()
    expect(previous).not.toHaveBeenCalled()
  })

  it.each<[string, Secrets]>([
    ['one', ['a'] as never],
    ['three', ['a', 'b', 'c'] as never],
    ['an empty one', ['a', '']],
  ])('and not %s', (_name, secrets) => {
    for (const method of [clientSecretBasic, clientSecretPost, clientSecretJwt]) {
      expect(() => method(secrets)).toThrow(TypeError)
    }
  })
})

// regressions J43
it('tokens that were issued with the secret before stay in use', async () => {
  let current = 'old'
  const { source, world } = await rotating(() => current, ['old', 'new'])
  const held = await source.get()
  current = 'new'
  expect(await source.get()).toBe(held)
  expect(source.peek()).toBe(held)
  expect(world.sent).toEqual(['old'])
})

// regressions S37
describe('a secret in a file', () => {
  async function secretFile(content: string) {
    const folder = await mkdtemp(join(tmpdir(), 'tokenwell-'))
    onTestFinished(() => rm(folder, { recursive: true }))
    const file = join(folder, 'secret')
    await writeFile(file, content)
    return { folder, file }
  }

  it.each(['s3cret', 's3cret\n', 's3cret\r\n'])('is sent without the newline at its end: %j', async (content) => {
    const { file } = await secretFile(content)
    const { source, world } = await rotating({ file }, ['s3cret'])
    await source.get()
    expect(world.sent).toEqual(['s3cret'])
  })

  it('that is replaced after it was refused is read again at once, though it was looked at within the second', async () => {
    vi.useFakeTimers({ toFake: ['performance'] })
    onTestFinished(() => void vi.useRealTimers())
    const { folder, file } = await secretFile('old')
    const { source, world } = await rotating({ file }, ['new'])
    await rejection(source.get())
    await writeFile(join(folder, 'next'), 'new\n')
    await rename(join(folder, 'next'), file)
    expect((await source.get()).tokenType).toBe('Bearer')
    expect(world.sent).toEqual(['old', 'new'])
  })

  it('reached by a symbolic link that is swapped, is the other one a second later', async () => {
    vi.useFakeTimers({ toFake: ['performance'] })
    onTestFinished(() => void vi.useRealTimers())
    const { folder } = await secretFile('one')
    await writeFile(join(folder, 'other'), 'two')
    await symlink('secret', join(folder, 'link'))
    const { source, world } = await rotating({ file: join(folder, 'link') }, ['one', 'two'])
    await source.get()
    await symlink('other', join(folder, 'next'))
    await rename(join(folder, 'next'), join(folder, 'link'))
    vi.advanceTimersByTime(999)
    await source.get({ forceRenewal: true })
    expect(world.sent).toEqual(['one', 'one'])
    vi.advanceTimersByTime(1)
    await source.get({ forceRenewal: true })
    expect(world.sent).toEqual(['one', 'one', 'two'])
  })

  it.each<[string, (file: string) => Promise<void>, string]>([
    ['missing', (file) => rm(file), 'the file cannot be read'],
    ['empty', (file) => writeFile(file, ''), 'the file is empty'],
    ['a newline alone', (file) => writeFile(file, '\n'), 'the file is empty'],
    ['a pipe', async (file) => void (await rm(file), execFileSync('mkfifo', [file])), 'the file cannot be read'],
    ['a device', (file) => rm(file).then(() => symlink('/dev/zero', file)), 'the file cannot be read'],
    ['a folder', (file) => rm(file).then(() => mkdir(file)), 'the file cannot be read'],
    ['endless', (file) => writeFile(file, 'x'.repeat(1024 * 1024 + 1)), 'the file is over 1048576 bytes'],
  ])('that is %s fails the token request, and works as soon as it is there', async (_name, spoil, message) => {
    const { folder, file } = await secretFile('s3cret')
    await spoil(file)
    const { source, world } = await rotating({ file }, ['s3cret'])
    const error = await rejection(source.get())
    expect(error).toMatchObject({ code: 'ERR_TOKENWELL_TOKEN_REQUEST', fromCache: false })
    expect((error.cause as Error).message).toBe(`clientSecretPost: secret: ${message}`)
    expect(String((error.cause as Error).stack)).not.toContain(folder)
    await rm(file, { recursive: true, force: true })
    await writeFile(file, 's3cret')
    expect((await source.get()).tokenType).toBe('Bearer')
    expect(world.sent).toEqual(['s3cret'])
  })
})

describe('a key that rotates', () => {
  const pemOf = () =>
    generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' })
  const [old, fresh] = [pemOf(), pemOf()]

  it.each<[string, () => unknown, () => unknown]>([
    ['PEM', () => old, () => fresh],
    ['a JWK', () => jwkOf(old, 'k1'), () => jwkOf(fresh, 'k2')],
    ['a KeyObject, made anew each time', () => keyOf(old), () => keyOf(fresh)],
    ['with a version', () => ({ value: old, version: 'v1' }), () => ({ value: fresh, version: 'v2' })],
  ])('given as %s is tried once more only if it changed', async (_name, before, after) => {
    let current = before
    const provider = vi.fn(() => current())
    const clientAuth = privateKeyJwt(provider as never, { audience: 'token-endpoint' })
    const { source, server } = await sourceAtEndpoint(invalidClient, { clientAuth })
    await rejection(source.get())
    expect(provider).toHaveBeenCalledTimes(2)
    expect(server.requests).toHaveLength(1)
    current = after
    server.respondWith(() => tokenReply())
    await source.get()
    expect(server.requests).toHaveLength(2)
  })

  it('given as a CryptoKey is another one when it is another object', async () => {
    const [before, after] = await Promise.all([generateKeyPair('Ed25519'), generateKeyPair('Ed25519')])
    let current = before.privateKey
    const clientAuth = privateKeyJwt(() => current, { audience: 'token-endpoint' })
    const { source, server } = await sourceAtEndpoint(invalidClient, { clientAuth })
    await rejection(source.get())
    await rejection(source.get())
    expect(server.requests).toHaveLength(1)
    current = after.privateKey
    await rejection(source.get())
    expect(server.requests).toHaveLength(2)
  })
})

it('a key given as a JWK whose kid was put right is another one', async () => {
  const jwk = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' })
  let kid = 'wrong'
  const clientAuth = privateKeyJwt(() => ({ ...jwk, kid }), { audience: 'token-endpoint' })
  const { source, server } = await sourceAtEndpoint(invalidClient, { clientAuth })
  await rejection(source.get())
  kid = 'right'
  server.respondWith(() => tokenReply())
  expect((await source.get()).tokenType).toBe('Bearer')
})

describe('a refused credential that is another one each time makes the pauses no shorter', () => {
  const pkcs8 = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'der' })
  const imported = (extractable: boolean) => () =>
    webcrypto.subtle.importKey('pkcs8', pkcs8, { name: 'ECDSA', namedCurve: 'P-256' }, extractable, ['sign'])
  let count = 0
  it.each<[string, ClientAuth]>([
    ['a CryptoKey that is imported anew', privateKeyJwt(imported(false), { audience: 'token-endpoint' })],
    ['an extractable one, which tells its public half', privateKeyJwt(imported(true), { audience: 'token-endpoint' })],
    ['a secret with a version of its own', clientSecretPost(() => ({ value: 'wrong', version: `${(count += 1)}` }))],
  ])('%s', async (_name, clientAuth) => {
    const { source, clock, server } = await sourceAtEndpoint(invalidClient, { clientAuth })
    const minute = async () => {
      const before = server.requests.length
      for (let second = 0; second < 60; second++) {
        await rejection(source.get())
        await clock.advance(1000)
      }
      return server.requests.length - before
    }
    for (let warmUp = 0; warmUp < 3; warmUp++) await minute()
    expect(await minute()).toBeLessThanOrEqual(4)
  })
})

it('a secret that comes after its attempt was given up is not taken for that of the next attempt', async () => {
  const late = Promise.withResolvers<string>()
  const asked = Promise.withResolvers<void>()
  const answers: (() => string | Promise<string>)[] = [() => late.promise, () => 'new']
  const clientAuth = clientSecretPost(() => {
    asked.resolve()
    return (answers.shift() ?? (() => 'new'))()
  })
  const { source, clock, server } = await sourceAtEndpoint(undefined, { clientAuth, timeoutMs: 10_000 })
  server.respondWith(async () => {
    late.resolve('old')
    await setImmediate()
    return invalidClient
  })
  const failure = rejection(source.get())
  await asked.promise
  await clock.advance(5000)
  expect(await driven(clock, failure)).toMatchObject({ error: 'invalid_client' })
  expect(server.requests.map(secretOf)).toEqual(['new'])
})

describe('a client authentication of the user', () => {
  it('that tells nothing of its credential is called once and not tried again', async () => {
    const clientAuth = vi.fn<ClientAuth>((_server, client, body) => body.set('client_id', client.client_id))
    const { source, server } = await sourceAtEndpoint(invalidClient, { clientAuth })
    await rejection(source.get())
    expect(await rejection(source.get())).toMatchObject({ fromCache: true })
    expect(clientAuth).toHaveBeenCalledTimes(1)
    expect(server.requests).toHaveLength(1)
  })

  it('that tells the version of its credential is told in turn which were refused, and tried again with another', async () => {
    const attempts: { number: number; refused: string[]; aborted: boolean }[] = []
    const versions = ['v1', 'v2']
    const clientAuth: ClientAuth = async (_server, client, body, _headers, attempt?: ClientAuthAttempt) => {
      body.set('client_id', client.client_id)
      if (attempt === undefined) throw new Error('no attempt was told')
      const { number, refused, signal } = attempt
      attempts.push({ number, refused: [...refused], aborted: signal.aborted })
      return { version: versions.shift() }
    }
    const { source, server } = await sourceAtEndpoint(undefined, { clientAuth })
    server.respondWith(invalidClient, () => tokenReply())
    await source.get()
    expect(attempts).toEqual([
      { number: 1, refused: [], aborted: false },
      { number: 2, refused: ['v1'], aborted: false },
    ])
  })
})

// regressions S27, J41
it.each<[string, ClientAuth]>([
  ['client_secret_jwt', clientSecretJwt('s'.repeat(32), { audience: 'token-endpoint' })],
  ['private_key_jwt', privateKeyJwt(generateKeyPairSync('ed25519').privateKey, { audience: 'token-endpoint' })],
])('%s: every attempt has an assertion of its own', async (_name, clientAuth) => {
  const { source, clock, server } = await sourceAtEndpoint(undefined, { clientAuth })
  server.respondWith({ status: 503 }, { reset: true }, () => tokenReply())
  await driven(clock, source.get())
  const ids = server.requests.map(({ form }) => decodeJwt(form.get('client_assertion') ?? '').jti)
  expect(new Set(ids).size).toBe(3)
})

function keyOf(pem: string) {
  return createPrivateKey(pem)
}

function jwkOf(pem: string, kid: string) {
  return { ...createPrivateKey(pem).export({ format: 'jwk' }), kid }
}
