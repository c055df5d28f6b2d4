import { createScriptedServer, type Reply } from '@tokenwell/testing'
import * as undici from 'undici'
import { expect, it, onTestFinished } from 'vitest'
import { createAccessToken, createUpstream, type Upstream } from '../../src/index.ts'

async function upstream(reply: Reply): Promise<Upstream> {
  const api = await createScriptedServer(reply)
  const token = createAccessToken({ value: 't', tokenType: 'Bearer', expiresAt: Date.now() + 60_000, generation: 'g' })
  const oauth = { peek: () => token, get: async () => token, invalidate: () => false, close: async () => {} }
  const made = createUpstream({ baseUrl: api.url, oauth })
  onTestFinished(async () => void (await Promise.all([made.close(), api.close()])))
  return made
}

const json = { headers: { 'x-a': '1', 'set-cookie': ['a=1', 'b=2'] }, body: { ok: true } }

it("an answer is an instance of this Node's Response, and so are its clone and its headers of Headers", async () => {
  const { fetch } = await upstream(json)
  const response = await fetch('/x')
  const clone = response.clone()
  for (const one of [response, clone]) {
    expect(one).toBeInstanceOf(Response)
    expect(one.constructor).toBe(Response)
    expect(one.headers).toBeInstanceOf(Headers)
    expect(one.headers).toBe(one.headers)
    expect(one.headers.getSetCookie()).toEqual(['a=1', 'b=2'])
    expect([...one.headers].length).toBeGreaterThan(2)
  }
  expect([await response.json(), await clone.json()]).toEqual([{ ok: true }, { ok: true }])
  expect([response.ok, response.status, response.bodyUsed, response.url.endsWith('/x')]).toEqual([
    true,
    200,
    true,
    true,
  ])
  expect(Object.prototype.toString.call(response)).toBe('[object Response]')
})

it('a Response of this Node can be made of it, and Headers of its headers', async () => {
  const { fetch } = await upstream(json)
  const response = await fetch('/x')
  const copy = new Response(response.body, response)
  expect([copy.headers.get('x-a'), await copy.json()]).toEqual(['1', { ok: true }])
  expect(new Headers(response.headers).get('x-a')).toBe('1')
})

it("a form in an answer is this Node's, so that it can be sent on", async () => {
  const form = new FormData()
  form.set('text', 'ü')
  form.set('file', new File(['content'], 'a.txt', { type: 'text/plain' }))
  const encoded = new Response(form)
  const headers = { 'content-type': encoded.headers.get('content-type') ?? '' }
  const { fetch } = await upstream({ headers, body: new Uint8Array(await encoded.arrayBuffer()) })
  const received = await (await fetch('/x')).formData()
  expect(received).toBeInstanceOf(FormData)
  const sentOn = await new Response(received).text()
  expect(sentOn).toContain('filename="a.txt"')
  expect(received.get('text')).toBe('ü')
  expect(await (received.get('file') as File).text()).toBe('content')
})

it("neither this Node's classes nor undici's are changed by it", async () => {
  const names = Reflect.ownKeys(Response.prototype)
  const { fetch } = await upstream(json)
  await (await fetch('/x')).text()
  expect(Reflect.ownKeys(Response.prototype)).toEqual(names)
  expect(new undici.Response()).not.toBeInstanceOf(Response)
  expect(Object.getPrototypeOf(undici.Response.prototype)).toBe(Object.prototype)
})
