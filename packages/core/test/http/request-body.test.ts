import { createScriptedServer, tokenReply, type ScriptedServer } from '@tokenwell/testing'
import { describe, expect, it, onTestFinished } from 'vitest'
import { clientSecretBasic, createUpstream, type Upstream } from '../../src/index.ts'
import { rejection, tokenEndpoint } from '../support.ts'

/** An API that refuses the first token. */
async function world(): Promise<{ readonly api: ScriptedServer; readonly upstream: Upstream }> {
  const server = await tokenEndpoint((_request, index) => tokenReply({ accessToken: `token-${index}` }))
  const api = await createScriptedServer(({ headers }) =>
    headers.authorization === 'Bearer token-0'
      ? { status: 401, headers: { 'www-authenticate': 'Bearer error="invalid_token"' } }
      : { body: {} },
  )
  const oauth = { tokenEndpoint: server.url, clientId: 'orders', clientAuth: clientSecretBasic('s') }
  const upstream = createUpstream({ baseUrl: api.url, oauth })
  onTestFinished(async () => void (await Promise.all([upstream.close(), api.close()])))
  return { api, upstream }
}

const form = new FormData()
form.set('a', '1')

describe('a Request whose body was at hand is sent as if that had been given', () => {
  it.each<[string, NonNullable<RequestInit['body']>, number]>([
    ['text', 'grüße', 7],
    ['bytes', new Uint8Array([0, 1, 255]), 3],
    ['URLSearchParams', new URLSearchParams({ a: 'ü&' }), 11],
    ['FormData of texts', form, 50],
    ['a long text', 'x'.repeat(300_000), 300_000],
  ])('with its length, and once more after a refused token: %s', async (_name, body, length) => {
    const { api, upstream } = await world()
    const request = new Request(`${api.url}/x`, { method: 'POST', body })
    expect((await upstream.fetch(request)).status).toBe(200)
    expect(api.requests).toHaveLength(2)
    const [first, second] = api.requests
    const { byteLength } = first?.body ?? expect.fail()
    expect(byteLength).toBeGreaterThanOrEqual(length)
    expect(Buffer.compare(second?.body ?? Buffer.of(), first?.body ?? expect.fail())).toBe(0)
    for (const { headers } of api.requests) {
      expect(headers['content-length']).toBe(String(byteLength))
      expect(headers['content-type'] ?? null).toBe(request.headers.get('content-type'))
    }
    expect(request.bodyUsed).toBe(true)
  })

  it('one given as init as well', async () => {
    const { api, upstream } = await world()
    const request = new Request(`${api.url}/x`, { method: 'POST', body: 'text' })
    expect((await upstream.fetch(request, { headers: { 'x-a': '1' } })).status).toBe(200)
    expect(api.requests.map(({ text, headers }) => [text, headers['x-a']])).toEqual([
      ['text', '1'],
      ['text', '1'],
    ])
  })
})

describe('a Request whose body is a stream stays one', () => {
  it('it is sent as it comes, and not again after a refused token', async () => {
    const { api, upstream } = await world()
    const steps = [Promise.withResolvers<void>(), Promise.withResolvers<void>()] as const
    const body = new ReadableStream({
      async start(controller) {
        controller.enqueue(new TextEncoder().encode('one,'))
        await steps[0].promise
        controller.enqueue(new TextEncoder().encode('two'))
        controller.close()
      },
    })
    const request = new Request(`${api.url}/x`, { method: 'POST', body, duplex: 'half' })
    const response = upstream.fetch(request)
    await expect.poll(() => api.connectionCount).toBe(1)
    steps[0].resolve()
    expect((await response).status).toBe(401)
    expect(api.requests.map(({ text }) => text)).toEqual(['one,two'])
    expect(api.requests[0]?.headers['transfer-encoding']).toBe('chunked')
  })

  it('one of more than can be kept is not held in memory', async () => {
    const { api, upstream } = await world()
    await upstream.tokens.get()
    const chunk = new Uint8Array(64 * 1024).fill(65)
    const state = { pulled: 0 }
    const body = new ReadableStream({
      pull(controller) {
        if (state.pulled === 64) return controller.close()
        state.pulled += 1
        controller.enqueue(chunk)
      },
    })
    const request = new Request(`${api.url}/x`, { method: 'POST', body, duplex: 'half' })
    expect((await upstream.fetch(request)).status).toBe(401)
    expect(api.requests.map(({ body: sent }) => sent.length)).toEqual([64 * 64 * 1024])
  })

  it('its error is that of the call', async () => {
    const { api, upstream } = await world()
    const failure = new Error('disk')
    const body = new ReadableStream({ pull: (controller) => controller.error(failure) })
    const request = new Request(`${api.url}/x`, { method: 'POST', body, duplex: 'half' })
    const error = await rejection(upstream.fetch(request))
    expect(error === failure || error.cause === failure).toBe(true)
    expect(api.requests).toHaveLength(0)
  })
})

it('a Request that was used already is refused, rather than sent without its body', async () => {
  const { api, upstream } = await world()
  const request = new Request(`${api.url}/x`, { method: 'POST', body: 'text' })
  await request.text()
  expect(await rejection(upstream.fetch(request))).toBeInstanceOf(TypeError)
  expect(api.requests).toHaveLength(0)
})
