import { Readable } from 'node:stream'
import { createManualClock, createScriptedServer, tokenReply, type Reply } from '@tokenwell/testing'
import {
  clientSecretBasic,
  createUpstreams,
  type CachedToken,
  type OAuthOptions,
  type TokenCache,
  type Upstream,
} from '@tokenwell/core'
import { expect, onTestFinished, vi } from 'vitest'

/** An upstream `billing` on a clock that the test moves, whose servers do as they are told. */
export async function world(
  token: Reply = () => tokenReply(),
  answer: Reply = { body: 'fine' },
  oauth: Partial<OAuthOptions> = {},
) {
  const server = await createScriptedServer(token)
  const api = await createScriptedServer(answer)
  const clock = createManualClock()
  const upstreams = createUpstreams({
    billing: {
      baseUrl: api.url,
      oauth: {
        tokenEndpoint: server.url,
        clientId: 'orders',
        clientAuth: clientSecretBasic('s3cret'),
        clock,
        ...oauth,
      },
    },
  })
  onTestFinished(async () => void (await Promise.all([upstreams.close(), server.close(), api.close()])))
  return { server, api, clock, upstreams, billing: upstreams.billing, port: Number(new URL(server.url).port) }
}

/** A cache that other processes could share. */
export function sharedCache(): TokenCache {
  const entries = new Map<string, CachedToken>()
  return {
    get: (key) => entries.get(key),
    set: (key, entry) => void entries.set(key, entry),
    delete: (key) => entries.delete(key),
  }
}

export const status = async (upstream: Upstream, path = '/', init: RequestInit = {}): Promise<number> => {
  const response = await upstream.fetch(path, init)
  await response.text()
  return response.status
}

/** Everything that metrics tell of, at one upstream. */
export async function everything(): Promise<void> {
  let fails = false
  let refusals = 0
  const { billing, clock } = await world(
    () => (fails ? { status: 400, body: { error: 'invalid_scope' } } : tokenReply({ expiresIn: 60 })),
    () => (refusals-- > 0 ? { status: 401 } : { body: 'fine' }),
    { cache: sharedCache() },
  )
  await Promise.all([status(billing), status(billing)])
  await clock.advance(50_000)
  await status(billing)
  await vi.waitFor(() => expect(billing.tokens.peek()).not.toBe(undefined))
  for (const body of [null, Readable.toWeb(Readable.from(['x']))]) {
    refusals = 1
    await status(billing, '/', { method: 'POST', body: body as ReadableStream, duplex: 'half' })
  }
  await clock.advance(60_000)
  await billing.tokens.get({ forceRenewal: true })
  fails = true
  await clock.advance(120_000)
  for (let index = 0; index < 2; index++) await billing.tokens.get().catch(() => {})
}
