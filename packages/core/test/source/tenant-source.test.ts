import { setImmediate } from 'node:timers/promises'
import { tokenReply } from '@tokenwell/testing'
import { describe, expect, it, onTestFinished } from 'vitest'
import {
  CallContextError,
  clientSecretBasic,
  createAccessToken,
  createUpstreams,
  TokenRequestError,
  tokenExchange,
  UpstreamClosedError,
  type AccessToken,
  type CallContext,
  type OAuthByTenant,
  type OAuthOptions,
  type TokenSource,
} from '../../src/index.ts'
import { TenantSource } from '../../src/source/tenant-source.ts'
import { refusal, scripted, tokenOf } from '../http/support.ts'
import { rejection, tokenEndpoint } from '../support.ts'

const byText = (a: string, b: string) => a.localeCompare(b)
const secretIn = (authorization = '') => {
  const [id = '', secret = ''] = Buffer.from(authorization.slice(6), 'base64').toString().split(':')
  return [id, decodeURIComponent(secret)]
}

/** An authorization server that names the client in its tokens, an API, and an upstream with a client for each tenant. */
async function tenants(more: (tenant: string) => Partial<OAuthOptions> = () => ({})) {
  const server = await tokenEndpoint(({ headers }, index) =>
    tokenReply({ accessToken: `${secretIn(headers.authorization)[0]}.${index}` }),
  )
  const revoked = new Set<string>()
  const api = await scripted((request) => (revoked.has(tokenOf(request) ?? '') ? refusal : { body: {} }))
  const vault = new Map([
    ['acme', 'acme s3cret'],
    ['globex', 'globex s3cret'],
  ])
  const made: CallContext[] = []
  const oauth: OAuthByTenant = (context) => {
    made.push(context)
    const { tenant } = context
    if (!vault.has(tenant)) throw new RangeError('there is no such tenant')
    const clientAuth = clientSecretBasic(async () => vault.get(tenant) ?? '')
    return { tokenEndpoint: server.url, clientId: `orders-${tenant}`, clientAuth, ...more(tenant) }
  }
  const upstreams = createUpstreams({ billing: { baseUrl: api.url, oauth } })
  onTestFinished(() => upstreams.close())
  const { billing } = upstreams
  const as = (tenant: string) => upstreams.with({ tenant }).billing
  return { server, api, vault, made, upstreams, billing, as, revoked }
}

describe('oauth as a function of the tenant', () => {
  // regressions S7, J5
  it('each tenant has a client, a secret from the store and tokens of its own, made once', async () => {
    const { server, api, as, made } = await tenants()
    await Promise.all(['acme', 'globex', 'acme'].map((tenant) => as(tenant).fetch('/')))
    await as('acme').fetch('/')
    expect(made).toEqual([{ tenant: 'acme' }, { tenant: 'globex' }])
    expect(server.requests.map(({ headers }) => secretIn(headers.authorization).join()).toSorted(byText)).toEqual([
      'orders-acme,acme s3cret',
      'orders-globex,globex s3cret',
    ])
    expect(api.requests.map((request) => tokenOf(request)?.split('.')[0] ?? '').toSorted(byText)).toEqual([
      'orders-acme',
      'orders-acme',
      'orders-acme',
      'orders-globex',
    ])
  })

  it('the function is told the tenant, and nothing else of the call that comes first', async () => {
    const { upstreams, made } = await tenants()
    const { signal } = new AbortController()
    await upstreams.with({ tenant: 'acme', subjectToken: 's1', headers: { a: 'b' }, signal }).billing.fetch('/')
    expect(made).toEqual([{ tenant: 'acme' }])
    expect(Object.isFrozen(made[0])).toBe(true)
  })

  it('tokens dispatches by context', async () => {
    const { billing } = await tenants()
    const token = await billing.tokens.get({ context: { tenant: 'globex' } })
    expect(token.value).toBe('orders-globex.0')
    expect(billing.tokens.peek({ tenant: 'globex' })).toBe(token)
    expect(billing.tokens.peek({ tenant: 'acme' })).toBeUndefined()
    expect(billing.tokens.peek()).toBeUndefined()
    expect([billing.tokens.invalidate(token), billing.tokens.invalidate(token)]).toEqual([true, false])
    expect(billing.tokens.peek({ tenant: 'globex' })).toBeUndefined()
    const foreign = createAccessToken({ value: 'x', tokenType: 'Bearer', expiresAt: 0, generation: 'x' })
    expect(billing.tokens.invalidate(foreign)).toBe(false)
  })

  it('a refused token is replaced for its tenant alone', async () => {
    const { server, as, revoked } = await tenants()
    for (const tenant of ['acme', 'globex']) await as(tenant).fetch('/')
    revoked.add('orders-acme.0')
    expect((await as('acme').fetch('/')).status).toBe(200)
    expect((await as('globex').fetch('/')).status).toBe(200)
    expect(server.requests.map(({ headers }) => secretIn(headers.authorization)[0])).toEqual([
      'orders-acme',
      'orders-globex',
      'orders-acme',
    ])
  })

  it("one tenant's refused credential is not another's", async () => {
    const { server, as } = await tenants()
    server.respondWith({ status: 401, body: { error: 'invalid_client' } }, () => tokenReply())
    expect(await rejection(as('acme').fetch('/'))).toBeInstanceOf(TokenRequestError)
    expect((await as('globex').fetch('/')).status).toBe(200)
    expect(await rejection(as('acme').fetch('/'))).toMatchObject({ fromCache: true })
  })

  it.each([
    ['a context without one', {}, 400],
    ['an empty one', { tenant: '' }, 400],
    ['no context', undefined, 500],
  ])('without a tenant nothing is sent: %s', async (_name, context, statusCode) => {
    const { server, api, upstreams, made } = await tenants()
    const billing = context === undefined ? upstreams.billing : upstreams.with(context).billing
    const calls = [
      billing.fetch('/'),
      billing.request('/'),
      billing.dispatcher.request({ origin: api.url, path: '/', method: 'GET' }),
    ]
    for (const call of calls) {
      const error = await rejection<unknown>(call)
      expect(error).toBeInstanceOf(CallContextError)
      expect(error).toMatchObject({ lacks: 'tenant', statusCode, headers: undefined })
      expect(error.message).toBe('Upstream "billing": it is called for a tenant, and none is named')
    }
    expect([server.requests, api.requests, made]).toEqual([[], [], []])
  })

  it('a tenant that is no text is a mistake', async () => {
    const { billing } = await tenants()
    const context = { tenant: 5 } as unknown as CallContext
    expect(await rejection(billing.tokens.get({ context }))).toEqual(new TypeError('context.tenant: expected a string'))
  })

  it('what the function throws is what the call fails with, and is asked again the next time', async () => {
    const { as, vault, api } = await tenants()
    const error = new RangeError('there is no such tenant')
    expect(await rejection(as('initech').request('/'))).toEqual(error)
    expect(await rejection(as('initech').fetch('/'))).toEqual(error)
    vault.set('initech', 'initech s3cret')
    expect((await as('initech').fetch('/')).status).toBe(200)
    expect(api.requests).toHaveLength(1)
  })

  it('a wrong option is a TypeError of the call that names its path', async () => {
    const { as, api } = await tenants((tenant) => (tenant === 'acme' ? { timeoutMs: -1 } : {}))
    expect(await rejection(as('acme').request('/'))).toEqual(
      new TypeError('billing.oauth.timeoutMs: expected milliseconds, at least 1'),
    )
    expect((await as('globex').fetch('/')).status).toBe(200)
    expect(api.requests).toHaveLength(1)
  })

  it('a promise of options is refused', async () => {
    const oauth = (async () => ({})) as unknown as OAuthByTenant
    const upstreams = createUpstreams({ billing: { baseUrl: 'http://127.0.0.1:1', oauth } })
    onTestFinished(() => upstreams.close())
    expect((await rejection(upstreams.with({ tenant: 'acme' }).billing.request('/'))).message).toMatch(
      /^billing\.oauth: expected OAuth options, not a promise/,
    )
  })

  it('warmUp leaves the upstream out, but for the tenant that it is called for', async () => {
    const { server, upstreams } = await tenants()
    await upstreams.warmUp()
    expect(server.requests).toHaveLength(0)
    await upstreams.run({ tenant: 'acme' }, () => upstreams.warmUp())
    expect(server.requests).toHaveLength(1)
  })

  it("a tenant's callers have tokens of their own too", async () => {
    const grant = tokenExchange({ subjectToken: ({ subjectToken }) => subjectToken })
    const { server, upstreams } = await tenants(() => ({ grant }))
    for (const tenant of ['acme', 'globex', 'acme']) {
      await upstreams.with({ tenant, subjectToken: 'the same' }).billing.fetch('/')
    }
    expect(server.requests.map(({ headers }) => secretIn(headers.authorization)[0])).toEqual([
      'orders-acme',
      'orders-globex',
    ])
  })

  it("DPoP proofs are by the key of the tenant's token, with the nonce of the API", async () => {
    const { api, server, as } = await tenants(() => ({ dpop: true }))
    server.respondWith(() => tokenReply({ tokenType: 'DPoP' }))
    api.respondWith(({ headers }) => {
      const [header = '', payload = ''] = String(headers['dpop']).split('.')
      const part = (text: string) => JSON.parse(Buffer.from(text, 'base64url').toString()) as Record<string, unknown>
      const { nonce } = part(payload)
      const body = { nonce, x: (part(header)['jwk'] as { x: string }).x }
      return { headers: { 'dpop-nonce': 'n1', 'content-type': 'application/json' }, body }
    })
    const seen: { x: string; nonce?: string }[] = []
    for (const tenant of ['acme', 'globex', 'acme']) {
      seen.push((await (await as(tenant).fetch('/')).json()) as { x: string })
    }
    expect(seen.map(({ nonce }) => nonce)).toEqual([undefined, 'n1', 'n1'])
    expect(seen[0]?.x).toBe(seen[2]?.x)
    expect(seen[0]?.x).not.toBe(seen[1]?.x)
  })

  it('closing the upstream closes what was made for tenants, and makes nothing more', async () => {
    const { upstreams, billing, as, made } = await tenants()
    await as('acme').fetch('/')
    await upstreams.close()
    expect(await rejection(billing.tokens.get({ context: { tenant: 'globex' } }))).toBeInstanceOf(UpstreamClosedError)
    expect(billing.tokens.peek({ tenant: 'acme' })).toBeUndefined()
    expect(made).toHaveLength(1)
  })
})

describe('more tenants than are kept', () => {
  /** Sources that answer when told, and tell when they are closed. */
  function sources(maxTenants: number) {
    const made: string[] = []
    const closed: string[] = []
    const answers = new Map<string, (token: AccessToken) => void>()
    const make = (tenant: string): TokenSource => {
      made.push(tenant)
      const { promise, resolve } = Promise.withResolvers<AccessToken>()
      answers.set(tenant, resolve)
      const close = async () => {
        closed.push(tenant)
        if (tenant === 'trouble') throw new Error('cannot be closed')
      }
      return { peek: () => undefined, get: () => promise, invalidate: () => false, close }
    }
    const source = new TenantSource({ upstream: undefined, maxTenants, make })
    const get = (tenant: string) => source.get({ context: { tenant } })
    const answer = (tenant: string) =>
      answers.get(tenant)?.(createAccessToken({ value: tenant, tokenType: 'Bearer', expiresAt: 0, generation: tenant }))
    return { source, get, answer, made, closed }
  }

  it('the one that was not used for longest is closed, and made again when it comes back', async () => {
    const { get, answer, made, closed } = sources(2)
    for (const tenant of ['a', 'b', 'a', 'c', 'b']) {
      const token = get(tenant)
      answer(tenant)
      expect((await token).value).toBe(tenant)
    }
    expect([made, closed]).toEqual([
      ['a', 'b', 'c', 'b'],
      ['b', 'a'],
    ])
  })

  it('never while a call waits for its token', async () => {
    const { get, answer, closed } = sources(1)
    const first = [get('a'), get('a')]
    const second = get('b')
    expect(closed).toEqual([])
    answer('a')
    expect((await Promise.all(first)).map(({ value }) => value)).toEqual(['a', 'a'])
    await setImmediate()
    expect(closed).toEqual(['a'])
    answer('b')
    expect((await second).value).toBe('b')
    expect(closed).toEqual(['a'])
  })

  it('a source that cannot be closed is nobody else’s trouble', async () => {
    const { get, answer, closed } = sources(1)
    for (const tenant of ['trouble', 'b']) {
      const token = get(tenant)
      answer(tenant)
      await token
    }
    await setImmediate()
    expect(closed).toEqual(['trouble'])
  })

  // regressions S43, J6
  it('a hundred thousand tenants leave as many open as are kept', async () => {
    const { get, answer, made, closed, source } = sources(1000)
    for (let index = 0; index < 100_000; index += 1) {
      const token = get(String(index))
      answer(String(index))
      await token
    }
    expect([made.length, made.length - closed.length]).toEqual([100_000, 1000])
    await source.close()
    expect(closed).toHaveLength(100_000)
  })

  it('closing closes those too that were dropped while somebody waited', async () => {
    const { get, closed, source } = sources(1)
    void get('a')
    void get('b')
    await source.close()
    expect(closed).toEqual(['a', 'b'])
  })
})

describe('the health of tenants', () => {
  it('is ok before any of them needed a token, and while the first is awaited', async () => {
    const { server, upstreams, as } = await tenants()
    expect(upstreams.health().status).toBe('ok')
    server.respondWith({ hang: true })
    const waiting = rejection(as('acme').request('/'))
    await expect.poll(() => server.requests.length).toBe(1)
    expect(upstreams.health().status).toBe('ok')
    await upstreams.close()
    await waiting
  })

  it('is degraded, never down, while some get no token: nobody knows of the others', async () => {
    const { server, upstreams, as } = await tenants()
    server.respondWith({ status: 401, body: { error: 'invalid_client' } })
    await rejection(as('acme').request('/'))
    expect(upstreams.health()).toMatchObject({
      status: 'degraded',
      upstreams: { billing: { status: 'degraded', error: { upstream: 'billing', error: 'invalid_client' } } },
    })
    expect(JSON.stringify(upstreams.health())).not.toContain('acme')
    server.respondWith(() => tokenReply())
    await as('globex').request('/')
    expect(upstreams.health().status).toBe('degraded')
  })

  it('is not that of a tenant that does not exist', async () => {
    const { upstreams, as } = await tenants()
    await rejection(as('initech').request('/'))
    expect(upstreams.billing.health()).toEqual({ status: 'ok' })
  })

  it('is down once they are closed', async () => {
    const { billing } = await tenants()
    await billing.tokens.close()
    expect(billing.tokens.health?.()).toMatchObject({ status: 'down', error: { code: 'ERR_TOKENWELL_CLOSED' } })
  })
})
