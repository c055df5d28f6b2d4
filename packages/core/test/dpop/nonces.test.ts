import {
  createManualClock,
  createScriptedServer,
  tokenReply,
  type Reply,
  type ScriptedServer,
} from '@tokenwell/testing'
import { decodeJwt } from 'jose'
import { describe, expect, it, onTestFinished } from 'vitest'
import {
  clientCredentials,
  clientSecretBasic,
  clientSecretPost,
  createTokenSource,
  createUpstream,
  type Upstream,
} from '../../src/index.ts'
import { DpopNonces } from '../../src/source/dpop-nonces.ts'
import { rejection, tokenEndpoint } from '../support.ts'

const hour = 3_600_000

// regressions S26, J63
describe('what is remembered of nonces', () => {
  it('the last one of each origin', () => {
    const nonces = new DpopNonces(createManualClock())
    expect(nonces.note('https://a.example', 'one')).toBe('one')
    nonces.note('https://b.example', 'two')
    nonces.note('https://a.example', 'three')
    expect([nonces.get('https://a.example'), nonces.get('https://b.example'), nonces.get('https://c.example')]).toEqual(
      ['three', 'two', undefined],
    )
  })

  it.each<[string, string | readonly string[] | null | undefined]>([
    ['none', undefined],
    ['none, of fetch', null],
    ['two at once', ['one', 'two']],
    ['an empty one', ''],
    ['one with a quote', 'a"b'],
    ['one with a space', 'a b'],
    ['one that is not ASCII', 'nö'],
    ['one that is too long', 'x'.repeat(1025)],
  ])('%s counts as not sent', (_name, header) => {
    const nonces = new DpopNonces(createManualClock())
    nonces.note('https://a.example', 'before')
    expect(nonces.note('https://a.example', header)).toBeUndefined()
    expect(nonces.get('https://a.example')).toBe('before')
  })

  it('nothing after an hour', async () => {
    const clock = createManualClock()
    const nonces = new DpopNonces(clock)
    nonces.note('https://a.example', 'one')
    await clock.advance(hour - 1)
    expect(nonces.get('https://a.example')).toBe('one')
    await clock.advance(1)
    expect(nonces.get('https://a.example')).toBeUndefined()
  })

  it('256 origins at most', () => {
    const nonces = new DpopNonces(createManualClock())
    for (let index = 0; index <= 256; index++) nonces.note(`https://${index}.example`, 'n')
    expect([nonces.get('https://0.example'), nonces.get('https://256.example')]).toEqual([undefined, 'n'])
  })
})

interface World {
  readonly server: ScriptedServer
  readonly api: ScriptedServer
  readonly upstream: Upstream
}

async function world(reply: Reply, token: Reply = () => tokenReply({ tokenType: 'DPoP' })): Promise<World> {
  const server = await tokenEndpoint(token)
  const api = await createScriptedServer(reply)
  const oauth = { tokenEndpoint: server.url, clientId: 'orders', clientAuth: clientSecretBasic('s'), dpop: true }
  const upstream = createUpstream({ baseUrl: api.url, oauth })
  onTestFinished(async () => void (await Promise.all([upstream.close(), api.close()])))
  return { server, api, upstream }
}

const claimsOf = ({ requests }: ScriptedServer) =>
  requests.map(({ headers }) => decodeJwt(String(headers['dpop'] ?? expect.fail())))
const noncesOf = (server: ScriptedServer) => claimsOf(server).map((claims) => claims['nonce'])
const wantsNonce = (nonce: string) => ({
  status: 401,
  headers: { 'www-authenticate': 'DPoP error="use_dpop_nonce"', 'dpop-nonce': nonce },
})

describe('an API', () => {
  it('that asks for a nonce again and again is asked twice, and its 401 given', async () => {
    const { server, api, upstream } = await world((_request, index) => wantsNonce(`n${index}`))
    expect((await upstream.fetch('/x')).status).toBe(401)
    expect(noncesOf(api)).toEqual([undefined, 'n0'])
    expect(server.requests).toHaveLength(1)
    expect((await upstream.fetch('/x')).status).toBe(401)
    expect(noncesOf(api).slice(2)).toEqual(['n1', 'n2'])
  })

  it('that asks for a nonce without giving one is not asked again', async () => {
    const { api, upstream } = await world({
      status: 401,
      headers: { 'www-authenticate': 'DPoP error="use_dpop_nonce"' },
    })
    expect((await upstream.fetch('/x')).status).toBe(401)
    expect(api.requests).toHaveLength(1)
  })

  it('whose nonce comes with an error is remembered too', async () => {
    const { api, upstream } = await world({ status: 500, headers: { 'dpop-nonce': 'of-500' } })
    await upstream.fetch('/x')
    await upstream.fetch('/x')
    expect(noncesOf(api)).toEqual([undefined, 'of-500'])
  })

  it('each sending of a call that two answers hold up uses the nonce of its own refusal', async () => {
    const answers: Record<string, string> = { '/a': 'nonce-a', '/b': 'nonce-b' }
    const seen = new Map<string, number>()
    const { api, upstream } = await world(({ path }) => {
      seen.set(path, (seen.get(path) ?? 0) + 1)
      return seen.get(path) === 1 ? wantsNonce(answers[path] ?? '') : { body: {} }
    })
    const responses = await Promise.all([upstream.fetch('/a'), upstream.fetch('/b')])
    expect(responses.map(({ status }) => status)).toEqual([200, 200])
    const second = api.requests.slice(2).map(({ path }, index) => [path, noncesOf(api)[index + 2]])
    expect(Object.fromEntries(second)).toEqual({ '/a': 'nonce-a', '/b': 'nonce-b' })
  })

  it('that says invalid_dpop_proof is given as it came, and the token kept', async () => {
    const { server, api, upstream } = await world({
      status: 401,
      headers: { 'www-authenticate': 'DPoP error="invalid_dpop_proof"', 'dpop-nonce': 'n' },
    })
    expect((await upstream.fetch('/x')).status).toBe(401)
    expect([api.requests.length, server.requests.length]).toEqual([1, 1])
    expect(upstream.tokens.peek()).toBeDefined()
  })
})

describe('a token endpoint', () => {
  const wantsOne = (nonce: string) => ({
    status: 400,
    headers: { 'dpop-nonce': nonce },
    body: { error: 'use_dpop_nonce' },
  })

  it('that asks for a nonce again and again is asked twice, and its refusal given', async () => {
    const { server, api, upstream } = await world({ body: {} }, (_request, index) => wantsOne(`n${index}`))
    expect(await rejection(upstream.fetch('/x'))).toMatchObject({ error: 'use_dpop_nonce' })
    expect(noncesOf(server)).toEqual([undefined, 'n0'])
    expect(api.requests).toHaveLength(0)
  })

  it('that asks for a nonce without giving one is not asked again', async () => {
    const { server, upstream } = await world({ body: {} }, { status: 400, body: { error: 'use_dpop_nonce' } })
    expect(await rejection(upstream.fetch('/x'))).toMatchObject({ error: 'use_dpop_nonce' })
    expect(server.requests).toHaveLength(1)
  })

  it('that asks for a nonce with 401 does not say that the secret is wrong', async () => {
    const server = await tokenEndpoint({ status: 401, body: { error: 'use_dpop_nonce' } })
    const source = createTokenSource({
      tokenEndpoint: `${server.url}/token`,
      clientId: 'o',
      clientAuth: clientSecretPost(['current', 'previous']),
      dpop: true,
      grant: clientCredentials({ scope: ({ tenant }) => tenant ?? '' }),
    })
    onTestFinished(() => source.close())
    for (const tenant of ['one', 'two']) {
      const error = await rejection(source.get({ context: { tenant } }))
      expect(error).toMatchObject({ error: 'use_dpop_nonce', fromCache: false })
    }
    expect(server.requests.map(({ form }) => form.get('client_secret'))).toEqual(['current', 'current'])
  })

  it('has nonces of its own, though it be the API at the same time', async () => {
    const both = await createScriptedServer(({ path }) =>
      path === '/token'
        ? {
            ...tokenReply({ tokenType: 'dpop' }),
            headers: { 'content-type': 'application/json', 'dpop-nonce': 'of-token' },
          }
        : { body: {}, headers: { 'dpop-nonce': 'of-api' } },
    )
    const oauth = { tokenEndpoint: `${both.url}/token`, clientId: 'o', clientAuth: clientSecretBasic('s'), dpop: true }
    const upstream = createUpstream({ baseUrl: both.url, oauth })
    onTestFinished(async () => void (await Promise.all([upstream.close(), both.close()])))
    await upstream.fetch('/x')
    await upstream.fetch('/x')
    await upstream.tokens.get({ forceRenewal: true })
    expect(both.requests.map(({ path }, index) => [path, noncesOf(both)[index]])).toEqual([
      ['/token', undefined],
      ['/x', undefined],
      ['/x', 'of-api'],
      ['/token', 'of-token'],
    ])
  })

  it('gets another proof for each attempt after trouble', async () => {
    const { server, upstream } = await world({ body: {} }, (_request, index) =>
      index === 0 ? { status: 503 } : tokenReply({ tokenType: 'DPoP' }),
    )
    expect((await upstream.fetch('/x')).status).toBe(200)
    const [first, second] = claimsOf(server)
    expect(first?.jti).not.toBe(second?.jti)
  })
})

it('a token that says it is bound, from a source that has no key, is not sent', async () => {
  const api = await createScriptedServer({ body: {} })
  const { createAccessToken } = await import('../../src/index.ts')
  for (const tokenType of ['DPoP', 'dpop']) {
    const fields = { tokenType, expiresAt: Date.now() + 60_000, generation: 'g' }
    const made = createAccessToken({ ...fields, value: 'v' })
    // One of somebody else's making, whose type is spelled as the server has it.
    for (const token of [made, { ...fields, value: 'v', scope: undefined }]) {
      const oauth = { peek: () => token, get: async () => token, invalidate: () => false, close: async () => {} }
      const upstream = createUpstream({ baseUrl: api.url, oauth })
      expect(await rejection(upstream.request('/x'))).toMatchObject({
        message: expect.stringContaining('bound to a key'),
      })
      await upstream.close()
    }
  }
  expect(api.connectionCount).toBe(0)
  await api.close()
})
