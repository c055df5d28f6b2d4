/**
 * Where the cost of `undici.fetch` goes: its parts alone, and a lean path under the same surface, beside undici's `request`. A study for
 * docs/decisions/0027; nothing of it is in the packages.
 */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Agent, fetch, Headers, Request, Response, type Dispatcher } from 'undici'
import { compare, measuring } from './compare.ts'
import { InstantApi } from './instant-server.ts'
import { leanFetch } from './lean-fetch/lean-fetch.ts'

const authorization = `Bearer ${'x'.repeat(1000)}`
const headers = { authorization }

const start = (controller: ReadableByteStreamController) => {
  controller.enqueue(new Uint8Array(2))
  controller.close()
}

function contendersFor(dispatcher: Dispatcher, origin: string) {
  const bare = 'undici request + json'
  const url = `${origin}/v1/x`
  const bytes = Buffer.from('{}')
  const request = () => dispatcher.request({ origin, path: '/v1/x', method: 'GET', headers })
  const signal = new AbortController().signal
  return [
    { name: bare, bare, call: async () => (await request()).body.json() },
    { name: 'the same again (noise)', bare, call: async () => (await request()).body.json() },
    { name: 'undici fetch', bare, call: async () => (await fetch(url, { headers, dispatcher })).json() },
    { name: 'lean fetch', bare, call: async () => (await leanFetch(url, { headers, dispatcher })).json() },
    {
      name: 'undici fetch + signal',
      bare,
      call: async () => (await fetch(url, { headers, dispatcher, signal })).json(),
    },
    {
      name: 'lean fetch + signal',
      bare,
      call: async () => (await leanFetch(url, { headers, dispatcher, signal })).json(),
    },
    {
      name: 'lean fetch, headers read',
      bare,
      call: async () => {
        const response = await leanFetch(url, { headers, dispatcher })
        return response.headers.get('content-type') === null ? undefined : response.json()
      },
    },
    {
      name: 'lean fetch, body as a stream',
      bare,
      call: async () => {
        const { body } = await leanFetch(url, { headers, dispatcher })
        for await (const _ of body ?? []);
      },
    },
    { name: 'part: new Request', bare, call: async () => new Request(url, { headers }) },
    { name: 'part: new Headers', bare, call: async () => new Headers(headers) },
    { name: 'part: new Response of bytes', bare, call: async () => new Response(bytes) },
    { name: 'part: new Response of bytes + json', bare, call: async () => new Response(bytes).json() },
    {
      name: 'part: byte stream read to its end',
      bare,
      call: async () => {
        const stream = new ReadableStream({ type: 'bytes', start })
        for await (const _ of stream);
      },
    },
    { name: 'part: AbortController', bare, call: async () => new AbortController().signal },
  ]
}

async function main(): Promise<void> {
  console.log('Without sockets\n')
  console.log(await compare(contendersFor(new InstantApi(), 'https://api.example'), { rounds: 41, calls: 1000 }))
  const server = createServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': 2 }).end('{}')
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const agent = new Agent()
  console.log('\nOver a socket (the server is in the same process)\n')
  const { port } = server.address() as AddressInfo
  const contenders = contendersFor(agent, `http://127.0.0.1:${port}`).filter(({ name }) => !name.startsWith('part'))
  console.log(await compare(contenders, { rounds: 41, calls: 300 }))
  await agent.close()
  server.close()
}

await measuring(import.meta.filename, main)
