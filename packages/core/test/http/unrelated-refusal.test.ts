import { interceptors } from 'undici'
import { describe, expect, it } from 'vitest'
import { entryPoints, type Way } from './calls.ts'
import { place, type Position } from './positions.ts'
import { createRealm, refusal, scripted, tokenOf, warmSource } from './support.ts'

/** An API that redirects to a server which refuses whoever comes. */
async function redirected(position: Position, allowed: boolean) {
  const stranger = await scripted(refusal)
  const realm = await createRealm({ redirect: stranger.url })
  const source = await warmSource(realm)
  const way: Way = place(position, {
    interceptor: interceptors.redirect({ maxRedirections: 3 }),
    source,
    origin: realm.api.url,
    origins: allowed ? [stranger.url] : [],
  })
  return { stranger, realm, source, way }
}

// regressions J49: who never had the token cannot say that it is no longer good.
describe('a 401 of a server that a redirect led to, without the token', () => {
  it.each([
    ['fetch', 'inside'],
    ['fetch', 'bare authorize, outside'],
    ['request', 'inside'],
    ['request', 'bare authorize, inside'],
    ['request', 'bare authorize, outside'],
  ] as const)('is given as it came, through %s, redirect %s', async (entry, position) => {
    const { stranger, realm, source, way } = await redirected(position, false)
    expect((await entryPoints[entry](way, '/')).status).toBe(401)
    expect(realm.api.requests.map(tokenOf)).toEqual(['token-0'])
    expect(stranger.requests.map(tokenOf)).toEqual([undefined])
    expect(realm.server.requests).toHaveLength(1)
    expect(source.peek()?.value).toBe('token-0')
  })

  // undici takes the token off for every other origin, ours or not.
  it.each(['inside', 'bare authorize, inside'] as const)(
    'that is an allowed one is given as it came too, redirect %s',
    async (position) => {
      const { stranger, realm, way } = await redirected(position, true)
      expect((await entryPoints.request(way, '/')).status).toBe(401)
      expect(stranger.requests.map(tokenOf)).toEqual([undefined])
      expect(realm.server.requests).toHaveLength(1)
    },
  )
})

describe('a 401 of a server that a redirect led to, with the token', () => {
  it.each([
    'inside',
    'outside',
    'outside, dispatcher given',
    'bare authorize, inside',
    'bare authorize, outside',
  ] as const)('is replaced, redirect %s', async (position) => {
    const realm = await createRealm(({ path }) => (path === '/there' ? { body: {} } : { redirect: '/there' }))
    realm.api.respondWith((request) => {
      if (request.path !== '/there') return { redirect: '/there' }
      return realm.revoked.has(tokenOf(request) ?? '') ? refusal : { body: {} }
    })
    const source = await warmSource(realm)
    const interceptor = interceptors.redirect({ maxRedirections: 3 })
    const way = place(position, { interceptor, source, origin: realm.api.url })
    realm.revoked.add('token-0')
    expect((await entryPoints.request(way, '/')).status).toBe(200)
    expect(realm.api.requests.at(-1)).toMatchObject({ path: '/there', headers: { authorization: 'Bearer token-1' } })
    expect(realm.server.requests).toHaveLength(2)
  })
})
