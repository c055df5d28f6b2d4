/**
 * A warm call beside bare undici with a fixed header. Over a dispatcher without sockets, what is left is the JavaScript of
 * the path itself: its time is steady, and so are its bytes.
 */
import { fetch, type Dispatcher } from 'undici'
import { createAccessToken, createUpstream, type TokenSource } from '../packages/core/dist/index.js'
import { compare, measuring, type Compared } from './compare.ts'
import { dispatchOnce } from './dispatching.ts'
import { InstantApi } from './instant-server.ts'
import { publish, quick } from './publish.ts'

async function main(): Promise<void> {
  const token = createAccessToken({
    value: 'x'.repeat(1000),
    tokenType: 'Bearer',
    expiresAt: Date.now() + 3_600_000,
    generation: 'g',
  })
  const source: TokenSource = {
    peek: () => token,
    get: async () => token,
    invalidate: () => false,
    close: async () => {},
  }
  const api = new InstantApi()
  const upstream = createUpstream({ baseUrl: 'https://api.example/v1', oauth: source, dispatcher: api })
  const authorization = `Bearer ${token.value}`
  const options = { origin: 'https://api.example', path: '/v1/x', method: 'GET' } as const
  const dump = async ({ body }: Dispatcher.ResponseData) => body.dump()
  const bareRequest = async () => dump(await api.request({ ...options, headers: { authorization } }))
  const contenders = [
    { name: 'undici request', bare: 'undici request', call: bareRequest },
    { name: 'upstream.request', bare: 'undici request', call: async () => dump(await upstream.request('/x')) },
    {
      name: 'upstream.dispatcher',
      bare: 'undici request',
      call: async () => dump(await upstream.dispatcher.request(options)),
    },
    { name: 'undici request again (noise)', bare: 'undici request', call: bareRequest },
    {
      name: 'undici dispatch',
      bare: 'undici dispatch',
      call: () => dispatchOnce(api, { ...options, headers: { authorization } }),
    },
    {
      name: 'dispatch, token attached',
      bare: 'undici dispatch',
      call: () => dispatchOnce(upstream.dispatcher, options),
    },
    {
      name: 'undici fetch',
      bare: 'undici fetch',
      call: async () =>
        (await fetch('https://api.example/v1/x', { headers: { authorization }, dispatcher: api })).text(),
    },
    { name: 'upstream.fetch', bare: 'undici fetch', call: async () => (await upstream.fetch('/x')).text() },
  ]
  const rows: Compared[] = []
  console.log(await compare(contenders, { rounds: quick ? 12 : 45, calls: 2000 }, (row) => rows.push(row)))
  publish({ rows })
  await upstream.close()
}

await measuring(import.meta.filename, main)
