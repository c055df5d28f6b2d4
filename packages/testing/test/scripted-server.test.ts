import { once } from 'node:events'
import { request as httpRequest, type IncomingMessage } from 'node:http'

import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import { createScriptedServer, tokenReply, type Reply, type ScriptedServer } from '../src/index.ts'

let server: ScriptedServer
beforeEach(async () => {
  server = await createScriptedServer()
})
afterEach(() => server.close())

async function failure(promise: Promise<unknown>): Promise<{ name: string; code: unknown }> {
  const error = await promise.then(
    () => new Error('it was answered'),
    (reason: unknown) => reason as Error,
  )
  return { name: error.name, code: (error.cause as { code?: unknown } | undefined)?.code }
}

describe('the script', () => {
  test('without one, every request is answered 501', async () => {
    expect((await fetch(server.url)).status).toBe(501)
  })

  test('replies are used in order and the last one repeats', async () => {
    server.respondWith({ status: 503 }, { status: 429 }, { status: 204 })
    const statuses: number[] = []
    for (let call = 0; call < 4; call += 1) statuses.push((await fetch(server.url)).status)
    expect(statuses).toEqual([503, 429, 204, 204])
  })

  test('a new script replaces what is left of the old one', async () => {
    server.respondWith({ status: 503 }, { status: 429 })
    await fetch(server.url)
    server.respondWith({ status: 201 })
    expect((await fetch(server.url)).status).toBe(201)
  })

  test('a function computes the reply from the request and its index', async () => {
    const echo: Reply = async ({ method, text }, index) => ({ body: { method, text, index } })
    await using echoing = await createScriptedServer(echo)
    await fetch(echoing.url)
    const response = await fetch(echoing.url, { method: 'PUT', body: 'hello' })
    expect(response.headers.get('content-type')).toBe('application/json')
    expect(await response.json()).toEqual({ method: 'PUT', text: 'hello', index: 1 })
  })

  test('a function that throws is answered 500 with its message', async () => {
    server.respondWith(() => {
      throw new Error('no such state')
    })
    const response = await fetch(server.url)
    expect([response.status, await response.text()]).toEqual([500, 'the script threw: no such state'])
  })
})

describe('records', () => {
  test('a request is recorded as it was sent', async () => {
    await fetch(`${server.url}/token?a=1`, {
      method: 'POST',
      headers: { 'X-Trace': 't' },
      body: new URLSearchParams({ scope: 'a b', secret: 'p:a%s s+w' }),
    })
    const [request] = server.requests
    expect(request).toMatchObject({ method: 'POST', path: '/token?a=1', text: 'scope=a+b&secret=p%3Aa%25s+s%2Bw' })
    expect(request?.headers['x-trace']).toBe('t')
    expect(request?.rawHeaders).toContain('X-Trace')
    expect(Object.fromEntries(request?.form ?? [])).toEqual({ scope: 'a b', secret: 'p:a%s s+w' })
    expect(request?.at).toBeCloseTo(Date.now(), -4)
  })

  test('a body that is no text is recorded byte by byte', async () => {
    const bytes = Uint8Array.from({ length: 256 }, (_, byte) => byte)
    await fetch(server.url, { method: 'POST', body: bytes })
    expect(new Uint8Array(server.requests[0]?.body ?? [])).toEqual(bytes)
  })

  test('a request that is not answered is recorded', async () => {
    server.respondWith({ hang: true })
    await failure(fetch(server.url, { signal: AbortSignal.timeout(30) }))
    expect(server.requests).toHaveLength(1)
  })
})

describe('whole replies', () => {
  test('status, headers, repeated headers and text are sent as they are', async () => {
    server.respondWith({
      status: 401,
      headers: { 'www-authenticate': ['Basic realm="a"', 'Bearer realm="b"'], 'content-type': 'text/html' },
      body: '<h1>No</h1>',
    })
    const response = await fetch(server.url)
    expect(response.status).toBe(401)
    expect(response.headers.get('www-authenticate')).toBe('Basic realm="a", Bearer realm="b"')
    expect(response.headers.get('content-type')).toBe('text/html')
    expect(await response.text()).toBe('<h1>No</h1>')
  })

  test('bytes are sent as they are', async () => {
    server.respondWith({ body: Uint8Array.of(0, 255) })
    expect(await (await fetch(server.url)).bytes()).toEqual(Uint8Array.of(0, 255))
  })

  test('a delayed reply comes no sooner', async () => {
    server.respondWith({ status: 200, delayMs: 30 })
    const start = performance.now()
    await fetch(server.url)
    expect(performance.now() - start).toBeGreaterThanOrEqual(29)
  })

  test('a redirect names its target', async () => {
    server.respondWith({ redirect: 'https://elsewhere.example.com/token', status: 307 })
    const response = await fetch(server.url, { redirect: 'manual' })
    expect([response.status, response.headers.get('location')]).toEqual([307, 'https://elsewhere.example.com/token'])
  })
})

describe('faults', () => {
  test('a reset ends the connection with ECONNRESET', async () => {
    server.respondWith({ reset: true })
    const request = httpRequest(server.url).end()
    const [error] = (await once(request, 'error')) as [NodeJS.ErrnoException]
    expect([error.code, error.syscall]).toEqual(['ECONNRESET', 'read'])
  })

  test('hanging sends nothing', async () => {
    server.respondWith({ hang: true })
    expect(await failure(fetch(server.url, { signal: AbortSignal.timeout(30) }))).toMatchObject({
      name: 'TimeoutError',
    })
  })

  test.each([0, 10, 1000])(
    'truncating at %i bytes sends no more and breaks the promise of Content-Length',
    async (n) => {
      server.respondWith({ ...tokenReply({ accessToken: 'abc' }), truncate: n })
      const response = await fetch(server.url)
      const complete = JSON.stringify(tokenReply({ accessToken: 'abc' }).body)
      expect(Number(response.headers.get('content-length'))).toBe(
        Math.max(complete.length, Math.min(n, complete.length) + 1),
      )

      let received = ''
      const reading = async () => {
        for await (const chunk of response.body ?? []) received += Buffer.from(chunk).toString()
      }
      expect(await failure(reading())).toMatchObject({ code: 'UND_ERR_SOCKET' })
      expect(received).toBe(complete.slice(0, n))
    },
  )

  test('a slow body comes piece by piece', async () => {
    server.respondWith({ body: 'abcdefg', slowBody: { chunk: 3, everyMs: 10 } })
    const start = performance.now()
    const response = await fetch(server.url)
    expect(response.headers.get('content-length')).toBe('7')
    const pieces: string[] = []
    for await (const chunk of response.body ?? []) pieces.push(Buffer.from(chunk).toString())
    expect(pieces).toEqual(['abc', 'def', 'g'])
    expect(performance.now() - start).toBeGreaterThanOrEqual(19)
  })

  test('an endless body goes on until the client leaves', async () => {
    server.respondWith({ endless: true })
    // fetch would open another connection as soon as it has dropped this one.
    const [response] = (await once(httpRequest(server.url).end(), 'response')) as [IncomingMessage]
    let start = ''
    let received = 0
    for await (const chunk of response as AsyncIterable<Buffer>) {
      if (received === 0) start = chunk.toString()
      received += chunk.length
      if (received > 4 * 1024 * 1024) break
    }
    expect(start).toMatch(/^\{"access_token":"a*$/)
    expect(received).toBeGreaterThan(4 * 1024 * 1024)
    await expect.poll(() => server.openConnectionCount, { interval: 2 }).toBe(0)
  })
})

describe('connections', () => {
  test('they are counted', async () => {
    server.respondWith({ status: 200, headers: { connection: 'close' } })
    await (await fetch(server.url)).text()
    await (await fetch(server.url)).text()
    expect(server.connectionCount).toBe(2)
    await expect.poll(() => server.openConnectionCount, { interval: 2 }).toBe(0)
  })

  test.each<[string, Reply]>([
    ['hangs', { hang: true }],
    ['is delayed', { status: 200, delayMs: 60_000 }],
    ['is slow', { body: 'ab', slowBody: { chunk: 1, everyMs: 60_000 } }],
    ['is endless', { endless: true }],
  ])('closing ends a reply that %s at once', async (_name, reply) => {
    server.respondWith(reply)
    const answered = failure(fetch(server.url).then((response) => response.text()))
    await expect.poll(() => server.requests.length, { interval: 2 }).toBe(1)
    await server.close()
    await server.close()
    expect(server.openConnectionCount).toBe(0)
    expect(await answered).toMatchObject({ name: 'TypeError' })
    expect(await failure(fetch(server.url))).toMatchObject({ code: 'ECONNREFUSED' })
  })
})

describe('tokenReply', () => {
  test('it is a good answer with another token for each call', async () => {
    server.respondWith(() => tokenReply({ scope: 'a b' }))
    const [first, second] = [await fetch(server.url), await fetch(server.url)]
    expect([first.status, first.headers.get('content-type')]).toEqual([200, 'application/json'])
    const [one, two] = [await first.json(), await second.json()] as { access_token: string }[]
    expect(one).toEqual({ access_token: expect.any(String), token_type: 'Bearer', expires_in: 3600, scope: 'a b' })
    expect(one?.access_token).not.toBe(two?.access_token)
  })

  test('members can be set, left out and added', () => {
    const { body } = tokenReply({ accessToken: 'a', tokenType: 'bearer', expiresIn: null, extra: { refresh_in: 5 } })
    expect(body).toEqual({ access_token: 'a', token_type: 'bearer', refresh_in: 5 })
    expect(tokenReply({ expiresIn: '60' }).body).toMatchObject({ expires_in: '60' })
  })
})
