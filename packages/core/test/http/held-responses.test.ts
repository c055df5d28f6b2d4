import { createServer, type Server } from 'node:net'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createScriptedServer, tokenReply } from '@tokenwell/testing'
import { Agent, BalancedPool, Pool, RetryAgent, type Dispatcher } from 'undici'
import { expect, it, onTestFinished } from 'vitest'
import { clientSecretBasic, createUpstream } from '../../src/index.ts'
import { rejection, tokenEndpoint } from '../support.ts'
import {
  authorizationsOf,
  closing,
  createRealm,
  fixedSource,
  refusal,
  scripted,
  upstreamAt,
  warmSource,
} from './support.ts'

/** A server that answers each connection with what it is told as soon as the headers are there, whatever comes after them. */
async function early(answers: readonly string[]): Promise<{ url: string; seen: () => number }> {
  let count = 0
  const server: Server = createServer((socket) => {
    socket.on('error', () => {})
    let head = ''
    const onData = (chunk: Buffer) => {
      head += chunk.toString('latin1')
      if (!head.includes('\r\n\r\n')) return
      socket.off('data', onData)
      const answer = answers[count++] ?? 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}'
      socket.resume()
      // The rest is read and thrown away for what goes well; what is refused is cut off with unread data, which resets.
      if (answer.includes(' 200 ')) socket.write(answer)
      else socket.write(answer, () => setTimeout(() => socket.resetAndDestroy(), 50))
    }
    socket.on('data', onData)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen: () => count }
}

const refusedEarly =
  'HTTP/1.1 401 Unauthorized\r\nwww-authenticate: Bearer error="invalid_token"\r\nconnection: close\r\ncontent-length: 7\r\n\r\nexpired'

it('an upload that is refused early, on a connection that is then cut, is sent again', async () => {
  const api = await early([refusedEarly])
  const server = await tokenEndpoint((_request, index) => tokenReply({ accessToken: `token-${index}` }))
  const oauth = { tokenEndpoint: server.url, clientId: 'o', clientAuth: clientSecretBasic('s') }
  const upstream = createUpstream({ baseUrl: api.url, oauth })
  onTestFinished(() => upstream.close())
  const { statusCode } = await upstream.request('/', { method: 'PUT', body: Buffer.alloc(2_000_000) })
  expect([statusCode, api.seen()]).toEqual([200, 2])
})

it('and if no other token can be had, the refusal is given with what ended it', async () => {
  const api = await early([refusedEarly])
  const { statusCode } = await upstreamAt(api.url, { oauth: fixedSource() }).request('/', {
    method: 'POST',
    body: Buffer.alloc(2_000_000),
  })
  expect(statusCode).toBe(401)
})

it('a held response does not keep its connection from the token request', async () => {
  const both = await createScriptedServer()
  onTestFinished(() => both.close())
  let issued = 0
  both.respondWith((request) => {
    if (request.path === '/token') return tokenReply({ accessToken: `token-${issued++}` })
    return request.headers.authorization === 'Bearer token-0' ? refusal : { body: {} }
  })
  const pool = closing(new Pool(both.url, { connections: 1 }))
  const oauth = {
    tokenEndpoint: `${both.url}/token`,
    clientId: 'o',
    clientAuth: clientSecretBasic('s'),
    dispatcher: pool,
  }
  const upstream = upstreamAt(both.url, { oauth, dispatcher: pool, timeoutMs: 5000 })
  expect((await upstream.request('/x')).statusCode).toBe(200)
})

it('a response that is dropped for a retry frees its connection during the pause', async () => {
  const api = await createScriptedServer()
  onTestFinished(() => api.close())
  let busy = 0
  api.respondWith(({ path }) =>
    path === '/busy' && busy++ === 0 ? { status: 503, headers: { 'retry-after': '2' }, body: { busy } } : { body: {} },
  )
  const pool = closing(new Pool(api.url, { connections: 1 }))
  const upstream = upstreamAt(api.url, { oauth: fixedSource(), dispatcher: pool })
  const order: string[] = []
  const first = upstream.request('/busy').then(() => order.push('busy'))
  await expect.poll(() => api.requests.length).toBe(1)
  await upstream.request('/other').then(() => order.push('other'))
  await first
  expect(order).toEqual(['other', 'busy'])
})

it('a dropped response that only drips does not keep its connection open for ever', async () => {
  const realm = await createRealm(({ headers }) =>
    headers.authorization === 'Bearer token-0'
      ? { ...refusal, body: 'x'.repeat(10_000), slowBody: { chunk: 1, everyMs: 50 } }
      : { body: {} },
  )
  const agent = new Agent()
  const upstream = upstreamAt(realm.api.url, { oauth: await warmSource(realm), dispatcher: agent })
  await (await upstream.request('/')).body.dump()
  await upstream.close()
  await agent.close()
  await expect.poll(() => realm.api.openConnectionCount).toBe(0)
})

// regressions J47
it("the client's secret does not go to an origin that oauth.dispatcher is bound to", async () => {
  const [api, login] = [await scripted(), await scripted()]
  const pool = closing(new Pool(api.url))
  const oauth = {
    tokenEndpoint: `${login.url}/token`,
    clientId: 'o',
    clientAuth: clientSecretBasic('s3cret'),
    dispatcher: pool,
  }
  const error = await rejection(upstreamAt(api.url, { oauth }).request('/'))
  expect(error).toMatchObject({ cause: { message: expect.stringContaining('oauth.dispatcher') } })
  expect([api.connectionCount, login.connectionCount]).toEqual([0, 0])
})

it('a dispatcher that chooses among origins without saying which gets no token', async () => {
  const other = await scripted()
  const dispatcher: Dispatcher = closing(new RetryAgent(new BalancedPool([other.url])))
  expect(await rejection(upstreamAt('https://api.example', { dispatcher }).request('/'))).toMatchObject({
    code: 'ERR_TOKENWELL_ORIGIN',
  })
  expect(other.requests.flatMap(authorizationsOf)).toEqual([])
})

it('who waits for drain after dispatch() need not, for it never returns false', async () => {
  const api = await scripted()
  const upstream = upstreamAt(api.url, { dispatcher: closing(new Pool(api.url, { connections: 1 })) })
  const handler = {
    onRequestStart() {},
    onResponseStart() {},
    onResponseData() {},
    onResponseEnd() {},
    onResponseError() {},
  }
  const call = { origin: api.url, path: '/', method: 'GET' } as const
  expect([1, 2, 3].map(() => upstream.dispatcher.dispatch(call, handler))).toEqual([true, true, true])
  await expect.poll(() => api.requests.length).toBe(3)
})

it('a source that throws when it is told of a refusal leaves the refusal to the caller', async () => {
  const api = await scripted(refusal)
  const invalidate = () => {
    throw new Error('broken')
  }
  const upstream = upstreamAt(api.url, { oauth: { ...fixedSource(), invalidate } })
  expect((await upstream.request('/')).statusCode).toBe(401)
})
