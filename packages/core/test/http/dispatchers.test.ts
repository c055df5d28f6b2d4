import {
  Agent,
  BalancedPool,
  Client,
  EnvHttpProxyAgent,
  MockAgent,
  Pool,
  ProxyAgent,
  RetryAgent,
  RoundRobinPool,
  type Dispatcher,
} from 'undici'
import { describe, expect, it, onTestFinished } from 'vitest'
import { authorize } from '../../src/index.ts'
import { entryPoints, type Way } from './calls.ts'
import { createProxy } from './proxy.ts'
import { closing, createRealm, refusal, tokenOf, upstreamAt, warmSource, type Realm } from './support.ts'

async function proxyUrl(): Promise<string> {
  const proxy = await createProxy()
  onTestFinished(() => proxy.close())
  return proxy.url
}

/** An agent that plays the API of the realm. */
function mockOf({ api, revoked }: Realm): Dispatcher {
  const mock = new MockAgent()
  onTestFinished(() => mock.close())
  mock.disableNetConnect()
  const answer = (headers: object): { statusCode: number; data: object; responseOptions: object } => {
    const authorization = (headers as { authorization?: string }).authorization ?? ''
    if (!revoked.has(authorization.replace('Bearer ', ''))) return { statusCode: 200, data: {}, responseOptions: {} }
    return { statusCode: refusal.status, data: refusal.body, responseOptions: { headers: refusal.headers } }
  }
  mock
    .get(api.url)
    .intercept({ path: '/x', headers: (headers) => 'authorization' in headers })
    .reply(({ headers }) => answer(headers as object))
    .persist()
  return mock
}

const dispatchers: Record<string, (realm: Realm) => Dispatcher | Promise<Dispatcher>> = {
  'an Agent': () => closing(new Agent()),
  'an Agent of one connection': () => closing(new Agent({ connections: 1 })),
  'a Pool': ({ api }) => closing(new Pool(api.url)),
  'a Client': ({ api }) => closing(new Client(api.url)),
  'a Client that pipelines': ({ api }) => closing(new Client(api.url, { pipelining: 10 })),
  'a RoundRobinPool': ({ api }) => closing(new RoundRobinPool(api.url)),
  'a BalancedPool': ({ api }) => closing(new BalancedPool([api.url])),
  'a RetryAgent': () => closing(new RetryAgent(new Agent())),
  'a ProxyAgent that forwards': async () => closing(new ProxyAgent(await proxyUrl())),
  'a ProxyAgent that tunnels': async () => closing(new ProxyAgent({ uri: await proxyUrl(), proxyTunnel: true })),
  'an EnvHttpProxyAgent with a proxy': async () => closing(new EnvHttpProxyAgent({ httpProxy: await proxyUrl() })),
  'an EnvHttpProxyAgent without': () => closing(new EnvHttpProxyAgent({ httpProxy: '', noProxy: '*' })),
  'a MockAgent': mockOf,
}

/** As option of an upstream, and under the bare interceptor. */
const uses: Record<string, (realm: Realm, dispatcher: Dispatcher) => Promise<Way>> = {
  'of an upstream': async (realm, dispatcher) => {
    const upstream = upstreamAt(realm.api.url, { oauth: await warmSource(realm), dispatcher })
    return { origin: realm.api.url, dispatcher: upstream.dispatcher, upstream }
  },
  'under authorize': async (realm, dispatcher) => ({
    origin: realm.api.url,
    dispatcher: dispatcher.compose(authorize({ source: await warmSource(realm), origins: [realm.api.url] })),
  }),
}

const cells = Object.entries(dispatchers)
  .flatMap(([name, make]) => Object.entries(uses).map(([use, calls]) => ({ name, use, make, calls })))
  // An interceptor is not told where a BalancedPool sends to, so this one is for an upstream.
  .filter(({ name, use }) => name !== 'a BalancedPool' || use !== 'under authorize')

describe.each(cells)('$name $use', ({ name, make, calls }) => {
  // An answer shows that the token was there: without it a mocked API has none.
  it('sends calls with the token, through every entry point', async () => {
    const realm = await createRealm()
    const way = await calls(realm, await make(realm))
    for (const [entry, call] of Object.entries(entryPoints)) {
      const { status } = await call(way, '/x', { method: 'GET' })
      expect({ entry, status }).toEqual({ entry, status: 200 })
    }
    const sent = name === 'a MockAgent' ? [] : Array.from(Object.keys(entryPoints), () => 'token-0')
    expect(realm.api.requests.map(tokenOf)).toEqual(sent)
  })

  it('replaces a token that is refused, through every entry point', async () => {
    for (const [entry, call] of Object.entries(entryPoints)) {
      // Its body is a stream, which is never sent again.
      if (entry === 'dispatcher.pipeline') continue
      const realm = await createRealm()
      const way = await calls(realm, await make(realm))
      realm.revoked.add('token-0')
      const { status } = await call(way, '/x')
      const sent = name === 'a MockAgent' ? [] : ['token-0', 'token-1']
      expect({ entry, status, sent: realm.api.requests.map(tokenOf) }).toEqual({ entry, status: 200, sent })
      expect(realm.server.requests).toHaveLength(2)
    }
  })
})
