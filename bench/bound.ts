/**
 * What it costs that a call is made for an inbound request, beside the same call for nobody: the way of the adapters that put
 * upstreams on the request (`with`), and that of those which run the handler in its context (`run`).
 */
import { EventEmitter } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Dispatcher } from 'undici'
import { createAccessToken, createUpstreams, type TokenSource } from '../packages/core/dist/index.js'
import { compare, measuring } from './compare.ts'
import { InstantApi } from './instant-server.ts'

async function main(): Promise<void> {
  const token = createAccessToken({ value: 'x', tokenType: 'Bearer', expiresAt: Infinity, generation: 'g' })
  const oauth: TokenSource = {
    peek: () => token,
    get: async () => token,
    invalidate: () => false,
    close: async () => {},
  }
  const dispatcher = new InstantApi()
  const upstreams = createUpstreams({ billing: { baseUrl: 'https://api.example/v1', oauth, dispatcher } })
  const { billing } = upstreams
  const contextOf = upstreams.requestContext()
  const request = { headers: { host: 'orders.example', connection: 'keep-alive' } } as IncomingMessage
  const inbound = () => contextOf(request, new EventEmitter() as ServerResponse)
  const dump = async ({ body }: Dispatcher.ResponseData) => body.dump()

  const bare = 'for nobody'
  const log = console
  const contenders = [
    { name: bare, bare, call: async () => dump(await billing.request('/x')) },
    { name: 'for nobody again (noise)', bare, call: async () => dump(await billing.request('/x')) },
    {
      name: 'with, context alone',
      bare,
      call: async () => {
        upstreams.with(inbound())
      },
    },
    { name: 'with', bare, call: async () => dump(await upstreams.with(inbound()).billing.request('/x')) },
    {
      name: 'with, and a logger',
      bare,
      call: async () => dump(await upstreams.with(inbound(), { log }).billing.request('/x')),
    },
    {
      name: 'run',
      bare,
      call: async () => dump(await upstreams.run(inbound(), () => billing.request('/x'))),
    },
    { name: 'fetch for nobody', bare: 'fetch for nobody', call: async () => (await billing.fetch('/x')).text() },
    {
      name: 'fetch with',
      bare: 'fetch for nobody',
      call: async () => (await upstreams.with(inbound()).billing.fetch('/x')).text(),
    },
  ]
  console.log(await compare(contenders, { rounds: Number(process.env['ROUNDS'] ?? 61), calls: 2000 }))
  await upstreams.close()
}

await measuring(import.meta.filename, main)
