import {
  Agent,
  BalancedPool,
  Client,
  interceptors,
  MockAgent,
  Pool,
  RetryAgent,
  RoundRobinPool,
  type Dispatcher,
} from 'undici'
import { describe, expect, it, onTestFinished } from 'vitest'
import { authorize, createUpstream, OriginNotAllowedError, type UpstreamOptions } from '../../src/index.ts'
import { rejection } from '../support.ts'
import { entryPoints } from './calls.ts'
import { authorizationsOf, closing, fixedSource, scripted, upstreamAt } from './support.ts'

/** A pool of a mock that answers with the Authorization it got. */
function mockPool(url: string): Dispatcher {
  const mock = new MockAgent()
  onTestFinished(() => mock.close())
  mock.enableNetConnect()
  return mock.get(url)
}

// undici sends what these are given to their own origin, whatever the origin of the call is.
const bound: Record<string, (url: string) => Dispatcher> = {
  'a Pool': (url) => closing(new Pool(url)),
  'a Client': (url) => closing(new Client(url)),
  'a RoundRobinPool': (url) => closing(new RoundRobinPool(url)),
  'a BalancedPool': (url) => closing(new BalancedPool([url])),
  'a RetryAgent of a Pool': (url) => closing(new RetryAgent(new Pool(url))),
  'a Pool with an interceptor': (url) => closing(new Pool(url)).compose(interceptors.retry()),
  'a Pool of a MockAgent': mockPool,
}

/** What comes of calling an upstream: refused when it is made, or when it is called. */
async function called(options: UpstreamOptions, call: keyof typeof entryPoints = 'request'): Promise<unknown> {
  const upstream = createUpstream(options)
  onTestFinished(() => upstream.close())
  const origin = new URL(options.baseUrl).origin
  return entryPoints[call]({ origin, dispatcher: upstream.dispatcher, upstream }, '/')
}

const isRefusal = (error: Error) =>
  error instanceof TypeError || error instanceof OriginNotAllowedError || error.cause instanceof OriginNotAllowedError

// regressions J47
describe.each(Object.entries(bound))('%s', (_name, make) => {
  it('that is bound to another origin is refused, before it sends a token there', async () => {
    const [api, other] = [await scripted(), await scripted()]
    for (const entry of ['fetch', 'request', 'dispatcher.request', 'dispatcher.stream'] as const) {
      const options = { baseUrl: api.url, oauth: fixedSource(), dispatcher: make(other.url) }
      const outcome = await called(options, entry).catch((error: Error) => error)
      expect(other.requests.flatMap(authorizationsOf)).toEqual([])
      expect(outcome).toSatisfy(isRefusal)
    }
    expect([api.connectionCount, other.connectionCount]).toEqual([0, 0])
  })

  it('that is bound to one of the origins does not get the calls for another of them', async () => {
    const [api, files] = [await scripted(), await scripted()]
    const options = { baseUrl: api.url, origins: [files.url], oauth: fixedSource(), dispatcher: make(files.url) }
    expect(await rejection(called(options))).toSatisfy(isRefusal)
    expect(files.connectionCount).toBe(0)
  })

  it('under authorize, gets no token for another origin than its own', async () => {
    const [api, other] = [await scripted(), await scripted()]
    const call = async () => {
      const dispatcher = make(other.url).compose(authorize({ source: fixedSource(), origins: [api.url] }))
      await dispatcher.request({ origin: api.url, path: '/', method: 'GET' })
    }
    await call().catch(() => {})
    expect(other.requests.flatMap(authorizationsOf)).toEqual([])
  })
})

describe('a dispatcher that is bound to the origin of the base URL', () => {
  it.each(Object.entries(bound).filter(([name]) => name !== 'a Pool of a MockAgent'))(
    '%s is used',
    async (_name, make) => {
      const api = await scripted()
      const { statusCode } = await upstreamAt(`${api.url}/v1`, { dispatcher: make(api.url) }).request('/')
      expect(statusCode).toBe(200)
      expect(api.requests.map(authorizationsOf)).toEqual([['Bearer fixed-token']])
    },
  )

  it('may be spelled in another way', async () => {
    const api = await scripted()
    const dispatcher = closing(new Pool(`${api.url}/`))
    expect((await upstreamAt(api.url, { dispatcher }).request('/')).statusCode).toBe(200)
  })

  it('a BalancedPool of several of the origins is used', async () => {
    const [one, two] = [await scripted(), await scripted()]
    const dispatcher = closing(new BalancedPool([one.url, two.url]))
    const upstream = upstreamAt(one.url, { origins: [two.url], dispatcher })
    for (let calls = 0; calls < 4; calls++) await upstream.request('/')
    expect(one.requests.length + two.requests.length).toBe(4)
    expect([...one.requests, ...two.requests].flatMap(authorizationsOf)).toEqual(Array(4).fill('Bearer fixed-token'))
  })

  it('a BalancedPool of which one is a stranger is refused', async () => {
    const [api, other] = [await scripted(), await scripted()]
    const dispatcher = closing(new BalancedPool([api.url, other.url]))
    const call = async () => {
      const upstream = upstreamAt(api.url, { dispatcher })
      for (let calls = 0; calls < 4; calls++) await upstream.request('/')
    }
    expect(await rejection(call())).toSatisfy(isRefusal)
    expect(other.requests.flatMap(authorizationsOf)).toEqual([])
  })

  it('one that is bound to none is asked for what is called', async () => {
    const api = await scripted()
    expect((await upstreamAt(api.url, { dispatcher: closing(new Agent()) }).request('/')).statusCode).toBe(200)
  })
})
