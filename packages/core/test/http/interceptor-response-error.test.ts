import { interceptors } from 'undici'
import { describe, expect, it } from 'vitest'
import { rejection } from '../support.ts'
import { entryPoints } from './calls.ts'
import { place } from './positions.ts'
import { createRealm, tokenOf, warmSource } from './support.ts'

const { fetch, request } = entryPoints

describe('undici turns a 401 into an exception', () => {
  it.each(['inside', 'bare authorize, inside'] as const)(
    '%s of ours, which never sees it: the token is neither replaced nor forgotten',
    async (position) => {
      const realm = await createRealm()
      const source = await warmSource(realm)
      const way = place(position, { interceptor: interceptors.responseError(), source, origin: realm.api.url })
      realm.revoked.add('token-0')
      for (let calls = 0; calls < 2; calls++) {
        await expect(request(way, '/')).rejects.toMatchObject({
          code: 'UND_ERR_RESPONSE',
          statusCode: 401,
          body: { refused: true },
        })
      }
      expect(realm.api.requests.map(tokenOf)).toEqual(['token-0', 'token-0'])
      expect(realm.server.requests).toHaveLength(1)
      // Who puts it there can still say what it means.
      expect(source.invalidate(source.peek()!)).toBe(true)
      expect(await request(way, '/')).toMatchObject({ status: 200 })
      expect(realm.api.requests.map(tokenOf)).toEqual(['token-0', 'token-0', 'token-1'])
    },
  )

  it.each(['outside', 'outside, dispatcher given', 'bare authorize, outside'] as const)(
    '%s of ours, when no other token helps',
    async (position) => {
      const realm = await createRealm()
      const source = await warmSource(realm)
      const way = place(position, { interceptor: interceptors.responseError(), source, origin: realm.api.url })
      realm.revoked.add('token-0').add('token-1')
      await expect(request(way, '/')).rejects.toMatchObject({ statusCode: 401, body: { refused: true } })
      await expect(fetch(way, '/')).rejects.toMatchObject({ cause: { statusCode: 401, body: { refused: true } } })
      expect(realm.server.requests).toHaveLength(2)
    },
  )

  it.each(['inside', 'outside'] as const)(
    '%s of ours, without a token in its message, stack or JSON',
    async (position) => {
      const realm = await createRealm()
      const source = await warmSource(realm)
      const way = place(position, { interceptor: interceptors.responseError(), source, origin: realm.api.url })
      realm.revoked.add('token-0').add('token-1')
      const error = await rejection(request(way, '/'))
      expect(JSON.stringify([error, String(error), error.stack])).not.toMatch(/token-\d/)
    },
  )
})
