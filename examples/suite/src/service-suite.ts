import {
  createAuthorizationServer,
  createProtectedApi,
  createScriptedServer,
  tokenHash,
  type AuthorizationServer,
  type ProtectedApi,
} from '@tokenwell/testing'
import { setTimeout as pause } from 'node:timers/promises'
import { generateKeyPair, SignJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { audience, startService, type Service, type ServiceUnderTest } from './start-service.ts'

export type { ServiceUnderTest } from './start-service.ts'

/** Does the service take new connections? */
async function letsIn(service: Service): Promise<boolean> {
  try {
    return (await service.get('/healthz', { connection: 'close' })).status === 200
  } catch {
    return false
  }
}

const web = 'orders-public'

/** What every service among the examples must do: one that runs as it would in production, in front of real servers. */
export function describeService(service: ServiceUnderTest): void {
  const { clientId } = service.client
  let server: AuthorizationServer
  let api: ProtectedApi
  let running: Service
  beforeAll(async () => {
    server = await createAuthorizationServer({ clients: [service.client] })
    const requiredScope = (path: string) => (path === '/v1/profile' ? 'profile:read' : 'invoices:read')
    api = await createProtectedApi({ ...server, audience: 'https://api.example.com', requiredScope })
    running = await startService(service, server, api.url)
  })
  afterAll(async () => {
    const problem = await running.stop()
    await Promise.all([api.close(), server.close()])
    expect(problem).toBeUndefined()
  })

  const tokenFor = (subject: string, more: { scope?: string; resource?: string; lifetimeSeconds?: number } = {}) =>
    server.issueAccessToken({ clientId: web, subject, scope: 'profile:read', resource: audience, ...more })
  const bearer = (token: string) => ({ authorization: `Bearer ${token}` })
  const exchanges = () => server.tokenRequests.filter(({ grantType }) => grantType?.endsWith(':token-exchange')).length

  test('an order comes with its invoice, for which the service asks billing as itself', async () => {
    const inbound = { 'x-request-id': 'r-1', ...bearer(await tokenFor('alice')), cookie: 'session=1' }
    const { status, body } = await running.get('/orders/4%2F2', inbound)
    expect(status).toBe(200)
    expect(body).toMatchObject({
      id: '4/2',
      invoice: { path: '/v1/invoices/4%2F2', clientId, scope: 'invoices:read', headers: { 'x-request-id': 'r-1' } },
    })
    expect(body).not.toHaveProperty('invoice.headers.cookie')
    expect((await running.get('/orders/43')).status).toBe(200)
    const own = server.tokenRequests.filter(({ grantType }) => grantType === 'client_credentials')
    expect(own).toMatchObject([{ clientId, clientAuthMethod: service.client.method }])
  })

  test('an order without an invoice is a 404, and any other failure of billing a 502', async () => {
    await using scripted = await createScriptedServer()
    scripted.respondWith({ status: 404 }, { status: 500 })
    await using other = await startService(service, server, scripted.url)
    const missing = { message: 'There is no invoice for order 42' }
    expect(await other.get('/orders/42')).toMatchObject({ status: 404, body: missing })
    expect(await other.get('/orders/42')).toMatchObject({ status: 502, body: { message: 'Billing answered 500' } })
  })

  test("a caller gets its own profile, for which the service asks billing on that caller's behalf", async () => {
    const before = exchanges()
    const token = await tokenFor('carol')
    for (const id of ['r-2', 'r-3']) {
      const { status, body } = await running.get('/profile', { 'x-request-id': id, ...bearer(token) })
      expect(status).toBe(200)
      expect(body).toMatchObject({
        subject: 'carol',
        profile: {
          path: '/v1/profile',
          subject: 'carol',
          clientId,
          scope: 'profile:read',
          headers: { 'x-request-id': id },
        },
      })
    }
    expect(exchanges()).toBe(before + 1)
    expect(api.requests.map((request) => request.tokenHash)).not.toContain(tokenHash(token))
  })

  test("callers at once never get one another's profiles, and each token is exchanged once", async () => {
    const before = exchanges()
    const subjects = ['dave', 'erin', 'frank']
    const tokens = await Promise.all(subjects.map((subject) => tokenFor(subject)))
    const asked = Array.from({ length: 30 }, (_, index) => index % subjects.length)
    const answers = await Promise.all(
      asked.map(async (who) => (await running.get('/profile', bearer(tokens[who]!))).body),
    )
    for (const [index, who] of asked.entries()) {
      expect(answers[index]).toMatchObject({ subject: subjects[who], profile: { subject: subjects[who] } })
    }
    expect(exchanges()).toBe(before + subjects.length)
  })

  /** As the authorization server signs its tokens, with somebody else's key. */
  async function forged(claims: Record<string, unknown> = {}): Promise<string> {
    const { privateKey } = await generateKeyPair('ES256')
    const payload = { sub: 'alice', client_id: web, scope: 'profile:read', ...claims }
    return new SignJWT(payload)
      .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt' })
      .setIssuer(server.issuer)
      .setAudience(audience)
      .setIssuedAt()
      .setExpirationTime('5m')
      .sign(privateKey)
  }

  async function ofAnotherServer(): Promise<string> {
    await using stranger = await createAuthorizationServer()
    return stranger.issueAccessToken({ clientId: web, subject: 'alice', scope: 'profile:read', resource: audience })
  }

  /** The token of one's own with another name in it, and the signature as it was. */
  async function altered(): Promise<string> {
    const [header, payload = '', signature] = (await tokenFor('mallory')).split('.')
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as object
    const changed = Buffer.from(JSON.stringify({ ...claims, sub: 'alice' })).toString('base64url')
    return [header, changed, signature].join('.')
  }

  const invalid = 'Bearer error="invalid_token"'
  test.each<[what: string, header: () => Promise<string | undefined>, status: number, challenge: string]>([
    ['no token', async () => undefined, 401, 'Bearer'],
    ['another scheme', async () => 'Basic YWxpY2U6c2VjcmV0', 401, 'Bearer'],
    ['what is no token', async () => 'Bearer abc', 401, invalid],
    ['a forged token', async () => `Bearer ${await forged()}`, 401, invalid],
    ['an altered token', async () => `Bearer ${await altered()}`, 401, invalid],
    ['a token of another authorization server', async () => `Bearer ${await ofAnotherServer()}`, 401, invalid],
    [
      'a token meant for somebody else',
      async () => `Bearer ${await tokenFor('alice', { resource: 'https://api.example.com' })}`,
      401,
      invalid,
    ],
    ['an expired token', async () => `Bearer ${await tokenFor('alice', { lifetimeSeconds: -60 })}`, 401, invalid],
    [
      'a token without the scope',
      async () => `Bearer ${await tokenFor('alice', { scope: 'invoices:read' })}`,
      403,
      'Bearer error="insufficient_scope", scope="profile:read"',
    ],
  ])('with %s there is no profile, and nobody is asked', async (_what, header, status, challenge) => {
    const authorization = await header()
    const before = [server.tokenRequestCount, api.requests.length]
    const answer = await running.get('/profile', authorization === undefined ? {} : { authorization })
    expect(answer).toMatchObject({ status, challenge })
    expect(JSON.stringify(answer.body)).not.toMatch(/alice|mallory/)
    expect([server.tokenRequestCount, api.requests.length]).toEqual(before)
  })

  test('is live, and is ready once it has a token', async () => {
    expect(await running.get('/orders/42')).toMatchObject({ status: 200 })
    expect(await running.get('/healthz')).toMatchObject({ status: 200, body: { status: 'ok' } })
    expect(await running.get('/readyz')).toMatchObject({ status: 200, body: { status: 'ok' } })
  })

  describe('where the authorization server cannot be reached', () => {
    let lost: Service
    beforeAll(async () => {
      const gone = await createScriptedServer()
      await gone.close()
      lost = await startService(service, { issuer: gone.url, jwksUri: `${gone.url}/jwks` }, api.url)
    })
    // It says so on standard error, where it may.
    afterAll(() => lost.stop())

    test('it is live and not ready, and callers are told to come again', async () => {
      expect(await lost.get('/orders/42')).toMatchObject({ status: 503 })
      expect(await lost.get('/healthz')).toMatchObject({ status: 200 })
      const { status, body } = await lost.get('/readyz')
      expect(status).toBe(503)
      expect(JSON.stringify(body)).toContain('"billing"')
      expect(JSON.stringify(body)).not.toContain('127.0.0.1')
    })

    test('that a token cannot be checked is not held against its owner', async () => {
      expect(await lost.get('/profile', bearer(await tokenFor('alice')))).toMatchObject({
        status: 503,
        challenge: null,
      })
    })
  })

  test('SIGTERM lets a request under way have its answer, and the process ends with exit code 0', async () => {
    const [reached, release] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    await using scripted = await createScriptedServer(async () => {
      reached.resolve()
      await release.promise
      return { body: { paid: true } }
    })
    await using ending = await startService(service, server, scripted.url)
    const answer = ending.get('/orders/42')
    await reached.promise
    const ended = ending.stop()
    // It knows that it should end when it lets nobody in any more.
    while (await letsIn(ending)) await pause(10)
    release.resolve()
    expect(await answer).toMatchObject({ status: 200, body: { invoice: { paid: true } } })
    expect(await ended).toBeUndefined()
  })

  test('SIGTERM ends the process in time, whatever it waits for', async () => {
    const reached = Promise.withResolvers<void>()
    await using scripted = await createScriptedServer(() => {
      reached.resolve()
      return { hang: true }
    })
    const hurried = { ...service, env: { ...service.env, GRACE_MS: '50' } }
    await using ending = await startService(hurried, server, scripted.url)
    const answer = ending.get('/orders/42').then(
      () => 'answered',
      () => 'cut off',
    )
    await reached.promise
    // It may say that it cut a call off. Anything else that is wrong with its end begins otherwise.
    expect((await ending.stop()) ?? 'complained').toMatch(/^complained/)
    expect(await answer).toBe('cut off')
  })
}
