/** A warm call to a server in a process of its own, beside bare undici with a fixed header. */
import { Agent, fetch, request, type Dispatcher } from 'undici'
import { clientSecretBasic, createUpstream } from '../packages/core/dist/index.js'
import { compare, measuring } from './compare.ts'
import { startServers } from './servers.ts'

async function main(): Promise<void> {
  const servers = await startServers()
  const { apiUrl: origin, tokenEndpoint } = servers
  const oauth = { tokenEndpoint, clientId: 'orders', clientAuth: clientSecretBasic('secret') }
  const upstream = createUpstream({ baseUrl: origin, oauth })
  const { value } = await upstream.tokens.get()
  const authorization = `Bearer ${value}`
  const agent = new Agent()
  const dump = async ({ statusCode, body }: Dispatcher.ResponseData) => {
    if (statusCode !== 200) throw new Error(`status ${statusCode}`)
    return body.dump()
  }
  const onAgent = async () =>
    dump(await agent.request({ origin, path: '/x', method: 'GET', headers: { authorization } }))
  const contenders = [
    { name: 'agent.request', bare: 'agent.request', call: onAgent },
    {
      name: 'undici.request',
      bare: 'agent.request',
      call: async () => dump(await request(`${origin}/x`, { dispatcher: agent, headers: { authorization } })),
    },
    { name: 'upstream.request', bare: 'agent.request', call: async () => dump(await upstream.request('/x')) },
    {
      name: 'upstream.dispatcher',
      bare: 'agent.request',
      call: async () => dump(await upstream.dispatcher.request({ origin, path: '/x', method: 'GET' })),
    },
    { name: 'agent.request again (noise)', bare: 'agent.request', call: onAgent },
    {
      name: 'undici.fetch',
      bare: 'undici.fetch',
      call: async () => (await fetch(`${origin}/x`, { dispatcher: agent, headers: { authorization } })).text(),
    },
    { name: 'upstream.fetch', bare: 'undici.fetch', call: async () => (await upstream.fetch('/x')).text() },
  ]
  console.log(await compare(contenders, { rounds: 128, calls: 300 }))
  await Promise.all([upstream.close(), agent.close()])
  servers.stop()
}

await measuring(import.meta.filename, main)
