import type { IncomingMessage } from 'node:http'
import { once } from 'node:events'
import { buffer } from 'node:stream/consumers'
import type { Duplex } from 'node:stream'
import type { Dispatcher } from 'undici'
import { describe, expect, it, onTestFinished } from 'vitest'
import { OriginNotAllowedError, TokenRequestError, UpstreamClosedError, type Upstream } from '../../src/index.ts'
import { rejection, tokenEndpoint } from '../support.ts'
import { collector } from './calls.ts'
import { serve, type BareServer } from './serve.ts'
import { agent, createRealm, fixedSource, upstreamAt } from './support.ts'

interface Peer extends BareServer {
  /** What was asked, by which way, with which Authorization. */
  readonly seen: (readonly [string, string | undefined, string | undefined])[]
}

/** A server that answers, switches protocols and opens tunnels, and repeats what it then hears; or refuses all of it. */
async function peer(refuses = false): Promise<Peer> {
  const seen: Peer['seen'] = []
  const record = ({ method = '', url, headers }: IncomingMessage) => seen.push([method, url, headers.authorization])
  const challenge = { 'www-authenticate': 'Bearer error="invalid_token"' }
  const server = await serve((request, response) => {
    record(request)
    if (refuses) response.writeHead(401, challenge).end('refused')
    else request.pipe(response)
  })
  const answer = (head: string) => (request: IncomingMessage, socket: Duplex) => {
    record(request)
    if (refuses) {
      socket.end('HTTP/1.1 401 Unauthorized\r\nwww-authenticate: Bearer error="invalid_token"\r\n\r\n')
    } else {
      socket.write(head)
      socket.pipe(socket)
    }
  }
  server.server.on(
    'upgrade',
    answer('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n'),
  )
  server.server.on('connect', answer('HTTP/1.1 200 OK\r\n\r\n'))
  onTestFinished(() => server.close())
  return Object.assign(server, { seen })
}

async function echo(socket: Duplex): Promise<string> {
  onTestFinished(() => void socket.destroy())
  socket.write('hello')
  const [heard] = (await once(socket, 'data')) as [Buffer]
  return heard.toString()
}

/** An upstream on a dispatcher of its own, or on one that is given. */
const upstreams: Record<string, (url: string) => Upstream> = {
  'of its own': (url) => upstreamAt(url),
  'that was given': (url) => upstreamAt(url, { dispatcher: agent() }),
}

describe.each(Object.entries(upstreams))('on a dispatcher %s', (_name, make) => {
  it('stream sends the token and pours the answer into what its factory gives', async () => {
    const { url, seen } = await peer()
    const { dispatcher } = make(url)
    const sink = collector()
    const options = { origin: url, path: '/s', method: 'POST', body: 'hello', opaque: 'mine' } as const
    const statuses: unknown[] = []
    await dispatcher.stream(options, ({ statusCode, opaque }) => {
      statuses.push([statusCode, opaque])
      return sink.stream
    })
    expect(statuses).toEqual([[200, 'mine']])
    expect(sink.collected().toString()).toBe('hello')
    expect(seen).toEqual([['POST', '/s', 'Bearer fixed-token']])
  })

  it('pipeline sends the token, what is written, and gives what is answered', async () => {
    const { url, seen } = await peer()
    const duplex = make(url).dispatcher.pipeline({ origin: url, path: '/p', method: 'PUT' }, ({ body }) => body)
    duplex.write('hel')
    duplex.end('lo')
    expect((await buffer(duplex)).toString()).toBe('hello')
    expect(seen).toEqual([['PUT', '/p', 'Bearer fixed-token']])
  })

  it('upgrade sends the token and gives the socket', async () => {
    const { url, seen } = await peer()
    const { socket } = await make(url).dispatcher.upgrade({ origin: url, path: '/u', protocol: 'echo' } as never)
    expect(await echo(socket)).toBe('hello')
    expect(seen).toEqual([['GET', '/u', 'Bearer fixed-token']])
  })

  it('connect sends the token and gives the tunnel', async () => {
    const { url, seen } = await peer()
    const { statusCode, socket } = await make(url).dispatcher.connect({ origin: url, path: 'db:1' })
    expect([statusCode, await echo(socket)]).toEqual([200, 'hello'])
    expect(seen).toEqual([['CONNECT', 'db:1', 'Bearer fixed-token']])
  })
})

describe('a refusal', () => {
  async function refused(): Promise<{ dispatcher: Dispatcher; api: Peer; tokenRequests: () => number }> {
    const api = await peer(true)
    const { server, oauth } = await createRealm()
    const { dispatcher } = upstreamAt(api.url, { oauth })
    return { dispatcher, api, tokenRequests: () => server.requests.length }
  }

  // regressions S39: what goes into it is a stream.
  it('of a pipeline is given as it came', async () => {
    const { dispatcher, api, tokenRequests } = await refused()
    const statuses: number[] = []
    const options = { origin: api.url, path: '/', method: 'PUT' } as const
    const duplex = dispatcher.pipeline(options, ({ statusCode, body }) => (statuses.push(statusCode), body))
    duplex.end('hello')
    expect((await buffer(duplex)).toString()).toBe('refused')
    expect([statuses, api.seen.length, tokenRequests()]).toEqual([[401], 1, 1])
  })

  // token-semantics §5: an upgrade is never replayed.
  it('of an upgrade fails as undici has it fail', async () => {
    const { dispatcher, api, tokenRequests } = await refused()
    const upgrading = dispatcher.upgrade({ origin: api.url, path: '/' } as never)
    await expect(upgrading).rejects.toMatchObject({ code: 'UND_ERR_SOCKET', message: 'bad upgrade' })
    expect([api.seen.length, tokenRequests()]).toEqual([1, 1])
  })

  it('of a tunnel is its status', async () => {
    const { dispatcher, api, tokenRequests } = await refused()
    const { statusCode, socket } = await dispatcher.connect({ origin: api.url, path: 'db:1' })
    socket.destroy()
    expect([statusCode, api.seen.length, tokenRequests()]).toEqual([401, 1, 1])
  })
})

type Failing = (dispatcher: Dispatcher, origin: string) => Promise<Error>
const viaCallback = (make: (callback: (error: Error | null) => void) => void): Promise<Error> =>
  new Promise((resolve) => make((error) => resolve(error ?? new Error('it did not fail'))))

/** Each method with each way in which undici tells of a failure. */
const failing: Record<string, Failing> = {
  request: (dispatcher, origin) => rejection(dispatcher.request({ origin, path: '/', method: 'GET' })),
  'request, by callback': (dispatcher, origin) =>
    viaCallback((callback) => dispatcher.request({ origin, path: '/', method: 'GET' }, callback)),
  stream: (dispatcher, origin) =>
    rejection(dispatcher.stream({ origin, path: '/', method: 'GET' }, () => collector().stream)),
  'stream, by callback': (dispatcher, origin) =>
    viaCallback((callback) =>
      dispatcher.stream({ origin, path: '/', method: 'GET' }, () => collector().stream, callback),
    ),
  'pipeline, by the stream': (dispatcher, origin) =>
    viaCallback((callback) =>
      dispatcher
        .pipeline({ origin, path: '/', method: 'GET' }, ({ body }) => body)
        .once('error', callback)
        .end(),
    ),
  upgrade: (dispatcher, origin) => rejection(dispatcher.upgrade({ origin, path: '/' } as never)),
  'upgrade, by callback': (dispatcher, origin) =>
    viaCallback((callback) => dispatcher.upgrade({ origin, path: '/' } as never, callback)),
  connect: (dispatcher, origin) => rejection(dispatcher.connect({ origin, path: 'db:1' })),
  'connect, by callback': (dispatcher, origin) =>
    viaCallback((callback) => dispatcher.connect({ origin, path: 'db:1' }, callback)),
}

describe.each(Object.entries(failing))('%s fails where undici has it fail, and nothing is sent', (_name, fails) => {
  it('for another origin', async () => {
    const [api, other] = [await peer(), await peer()]
    const error = await fails(upstreamAt(api.url).dispatcher, other.url)
    expect(error).toBeInstanceOf(OriginNotAllowedError)
    expect([api.connectionCount, other.connectionCount]).toEqual([0, 0])
  })

  it('without a token', async () => {
    const api = await peer()
    const server = await tokenEndpoint({ status: 400, body: { error: 'invalid_scope' } })
    const { oauth } = await createRealm()
    const { dispatcher } = upstreamAt(api.url, { oauth: { ...oauth, tokenEndpoint: server.url } })
    expect(await fails(dispatcher, api.url)).toBeInstanceOf(TokenRequestError)
    expect(api.connectionCount).toBe(0)
  })

  it('once the upstream is closed', async () => {
    const api = await peer()
    const upstream = upstreamAt(api.url, { oauth: fixedSource(), dispatcher: agent() })
    const { dispatcher } = upstream
    await upstream.close()
    expect(await fails(dispatcher, api.url)).toBeInstanceOf(UpstreamClosedError)
    expect(api.connectionCount).toBe(0)
  })
})
