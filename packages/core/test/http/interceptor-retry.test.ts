import type { StaticReply } from '@tokenwell/testing'
import { Agent, interceptors, RetryAgent } from 'undici'
import { describe, expect, it } from 'vitest'
import { entryPoints } from './calls.ts'
import { place, positions } from './positions.ts'
import { authorizationsOf, closing, createRealm, refusal, upstreamAt, warmSource, type Realm } from './support.ts'

const retry = () => interceptors.retry({ minTimeout: 1, maxRetries: 3 })
const { request } = entryPoints

/** An API that is in trouble once, in the course of which something happens. */
async function troubledRealm(trouble: StaticReply, meanwhile: (realm: Realm) => void): Promise<Realm> {
  const realm: Realm = await createRealm((_request, index) => {
    if (index > 0) return { body: { ok: true } }
    meanwhile(realm)
    return trouble
  })
  return realm
}

const troubles: Record<string, StaticReply> = {
  'a 503': { status: 503 },
  'a 503 with a body': { status: 503, body: { busy: true } },
  'a connection that is reset': { reset: true },
}

describe.each(Object.entries(troubles))('after %s', { timeout: 10_000 }, (_name, trouble) => {
  // Outside of ours the interceptor asks it each time; inside it has what ours gave it.
  it.each(positions.map((position) => ({ position, second: position.includes('inside') ? 0 : 1 })))(
    'retry $position sends again with token-$second, though token-1 is there',
    async ({ position, second }) => {
      for (const [entry, call] of Object.entries(entryPoints)) {
        // Its body is a stream, which undici does not send again either.
        if (entry === 'dispatcher.pipeline') continue
        const renewed = Promise.withResolvers<unknown>()
        const realm = await troubledRealm(trouble, () => renewed.resolve(source.get({ forceRenewal: true })))
        const source = await warmSource(realm)
        // Waits for the other token instead of a while.
        const interceptor = interceptors.retry({
          retry: (_error, _context, decide) => void renewed.promise.then(() => decide(null)),
        })
        const { status } = await call(place(position, { interceptor, source, origin: realm.api.url }), '/x')
        const sent = realm.api.requests.map(authorizationsOf)
        expect({ entry, status, sent }).toEqual({
          entry,
          status: 200,
          sent: [['Bearer token-0'], [`Bearer token-${second}`]],
        })
      }
    },
  )
})

it.each(positions)('a token that is refused in a retry is replaced, %s', { timeout: 10_000 }, async (position) => {
  const realm = await troubledRealm({ status: 503 }, ({ revoked }) => revoked.add('token-0'))
  const source = await warmSource(realm)
  const { status } = await request(place(position, { interceptor: retry(), source, origin: realm.api.url }), '/x')
  expect(status).toBe(200)
  expect(realm.api.requests.map(authorizationsOf)).toEqual([['Bearer token-0'], ['Bearer token-0'], ['Bearer token-1']])
})

it.each(positions)('an answer that breaks off is fetched to its end with the token, %s', async (position) => {
  const whole = 'x'.repeat(1000)
  const realm = await createRealm(({ headers: { range } }) => {
    const start = Number(/^bytes=(\d+)-/.exec(range ?? '')?.[1] ?? 0)
    if (start === 0) return { headers: { etag: '"a"' }, body: whole, truncate: 600 }
    return {
      status: 206,
      headers: { etag: '"a"', 'content-range': `bytes ${start}-999/1000` },
      body: whole.slice(start),
    }
  })
  const source = await warmSource(realm)
  const { body } = await request(place(position, { interceptor: retry(), source, origin: realm.api.url }), '/x')
  expect(body.toString()).toBe(whole)
  expect(realm.api.requests.map(authorizationsOf)).toEqual([['Bearer token-0'], ['Bearer token-0']])
})

it('a RetryAgent that is given is a retry inside', async () => {
  const realm = await troubledRealm({ status: 503 }, ({ revoked }) => revoked.add('token-0'))
  const dispatcher = closing(new RetryAgent(new Agent(), { minTimeout: 1 }))
  const { statusCode } = await upstreamAt(realm.api.url, { oauth: realm.oauth, dispatcher }).request('/')
  expect(statusCode).toBe(200)
  expect(realm.api.requests.map(authorizationsOf)).toEqual([['Bearer token-0'], ['Bearer token-0'], ['Bearer token-1']])
})

// regressions S11: the guard against an API that refuses everything holds across attempts.
it('who retries refusals from outside causes no more token requests than who does not', async () => {
  const realm = await createRealm(refusal)
  const interceptor = interceptors.retry({ statusCodes: [401], minTimeout: 1, maxRetries: 3 })
  const way = place('outside', { interceptor, source: await warmSource(realm), origin: realm.api.url })
  await expect(request(way, '/x')).rejects.toMatchObject({ code: 'UND_ERR_REQ_RETRY', statusCode: 401 })
  expect(realm.server.requests).toHaveLength(2)
})
