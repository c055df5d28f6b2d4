import { AsyncLocalStorage } from 'node:async_hooks'
import { once } from 'node:events'
import { createScriptedServer, type StaticReply } from '@tokenwell/testing'
import { Agent, request as undiciRequest } from 'undici'
import { expect, it } from 'vitest'
import { createUpstreams } from '../../src/index.ts'
import { entryPoints } from './calls.ts'
import { rejection } from '../support.ts'
import { closing, createRealm, fixedSource, refusal, upstreamAt, warmSource } from './support.ts'

const storage = new AsyncLocalStorage<string>()

// regressions S2, S33: undici calls back in the context of whoever opened the connection.
it.each<[string, StaticReply]>([
  ['a refused token', refusal],
  ['trouble', { status: 503 }],
])("what is sent again after %s is sent in its own caller's context", async (_name, trouble) => {
  let troubled = false
  const realm = await createRealm(() => {
    troubled = !troubled
    return troubled ? { body: {} } : trouble
  })
  const seen: (string | undefined)[] = []
  const dispatcher = closing(new Agent({ connections: 1 })).compose((dispatch) => (options, handler) => {
    seen.push(storage.getStore())
    return dispatch(options, handler)
  })
  const upstream = upstreamAt(realm.api.url, { oauth: await warmSource(realm), dispatcher })
  const way = { origin: realm.api.url, dispatcher: upstream.dispatcher, upstream }
  for (const entry of ['request', 'fetch', 'dispatcher.stream'] as const) {
    troubled = false
    seen.length = 0
    await storage.run('A', () => entryPoints[entry](way, '/'))
    const { status } = await storage.run('B', () => entryPoints[entry](way, '/'))
    expect({ entry, status, seen }).toEqual({ entry, status: 200, seen: ['A', 'B', 'B'] })
  }
})

it('a body that a function gives is asked for in the context of its call', async () => {
  const api = await createScriptedServer()
  let index = 0
  api.respondWith(() => ({ status: index++ === 1 ? 503 : 200, body: {} }))
  const upstream = upstreamAt(api.url, { oauth: fixedSource() })
  await storage.run('A', async () => (await upstream.request('/')).body.dump())
  await storage.run('B', () => upstream.request('/', { method: 'PUT', body: () => `tenant ${storage.getStore()}` }))
  expect(api.requests.slice(1).map(({ text }) => text)).toEqual(['tenant B', 'tenant B'])
  await api.close()
})

it('an interceptor below ours sees the context too, over one that others opened', async () => {
  const api = await createScriptedServer({ body: {} })
  const upstream = upstreamAt(api.url, { oauth: fixedSource() })
  const { dispatcher } = upstream
  await storage.run('A', () => undiciRequest(api.url, { dispatcher }))
  expect(await storage.run('B', async () => (await undiciRequest(api.url, { dispatcher })).statusCode)).toBe(200)
  await api.close()
})

it("a call that is made while another's response is read has the context of whoever reads, and no other's", async () => {
  const inPieces = { body: 'xx', slowBody: { chunk: 1, everyMs: 20 } }
  const api = await createScriptedServer(({ path }) => (path === '/' ? inPieces : { body: {} }))
  const dispatcher = closing(new Agent({ connections: 1, pipelining: 2 }))
  const upstreams = createUpstreams({ api: { baseUrl: api.url, oauth: fixedSource(), dispatcher } })
  const readAndCall = async () => {
    const { body } = await upstreams.api.request('/')
    const inner: Promise<unknown>[] = []
    const callWith = () => inner.push(upstreams.api.request('/inner').then((answer) => answer.body.dump()))
    body.on('data', callWith).on('end', callWith)
    await once(body, 'close')
    await Promise.all(inner)
    return inner.length
  }
  for (const id of ['A', 'B']) {
    const context = { headers: { 'x-request-id': id } }
    expect(await upstreams.run(context, readAndCall)).toBe(3)
    expect(api.requests.slice(-4).map(({ headers }) => headers['x-request-id'])).toEqual([id, id, id, id])
  }
  await upstreams.close()
  await api.close()
})

it('a change that a redirect made a question of ends with the caller, and says so', async () => {
  const api = await createScriptedServer(({ path }) =>
    path === '/change' ? { status: 303, headers: { location: '/answer' } } : { hang: true },
  )
  const controller = new AbortController()
  const context = { signal: controller.signal, signalAborts: 'safe-methods' } as const
  const upstream = upstreamAt(api.url, { oauth: fixedSource() }).with(context)
  const waiting = rejection(upstream.fetch('/change', { method: 'POST', body: 'x' }))
  await expect.poll(() => api.requests.length).toBe(2)
  const reason = new Error('hung up')
  controller.abort(reason)
  expect(await waiting).toBe(reason)
  await api.close()
})
