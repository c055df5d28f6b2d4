import { createReadStream } from 'node:fs'
import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import { constants, createSecureServer, type ServerHttp2Stream } from 'node:http2'
import { createConnection, createServer, type AddressInfo } from 'node:net'
import { inspect } from 'node:util'
import { MockAgent, ProxyAgent, type Dispatcher } from 'undici'
import { describe, expect, it, onTestFinished } from 'vitest'
import {
  clientSecretBasic,
  createTokenSource,
  none,
  tokenExchange,
  TokenwellError,
  UpstreamUnreachableError,
  type Upstream,
  type UpstreamOptions,
} from '../../src/index.ts'
import { rejection } from '../support.ts'
import { certificate } from './certificate.ts'
import { serve } from './serve.ts'
import { agent, closing, fixedSource, scripted, upstreamAt } from './support.ts'

type Fault = () => Promise<{ readonly url: string; readonly dispatcher?: Dispatcher }>

const closedPort: Fault = async () => {
  const gone = await scripted()
  await gone.close()
  return { url: gone.url }
}

/** What connects gets this text instead of an answer. */
async function saying(text: string): Promise<{ url: string }> {
  const server = createServer((socket) => socket.on('error', () => {}).once('data', () => socket.end(text)))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  onTestFinished(() => void server.close())
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

/** Names lead nowhere: whatever the machine's resolver would say of them. */
const nameless: Fault = async () => {
  const failure = Object.assign(new Error('getaddrinfo ENOTFOUND api.internal'), {
    code: 'ENOTFOUND',
    syscall: 'getaddrinfo',
  })
  const lookup = (_name: string, _options: object, callback: (error: Error, address: string, family: number) => void) =>
    callback(failure, '', 4)
  return { url: 'https://api.internal', dispatcher: agent({ connect: { lookup } }) }
}

/** A server of HTTP/2 that does this with each request. */
function overHttp2(fault: (stream: ServerHttp2Stream) => void): Fault {
  return async () => {
    const server = createSecureServer(certificate)
    server.on('session', (session) => session.on('error', () => {}))
    server.on('stream', (stream) => {
      stream.on('error', () => {})
      fault(stream as ServerHttp2Stream)
    })
    await once(server.listen(0, '127.0.0.1'), 'listening')
    onTestFinished(() => void server.close())
    const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`
    return { url, dispatcher: agent({ allowH2: true, connect: { ca: certificate.cert } }) }
  }
}

/** As Node.js says it, whatever made OpenSSL say so. */
const withCertificateError: Fault = async () => {
  const failure = Object.assign(new Error('unsuitable certificate purpose'), { code: 'INVALID_PURPOSE' })
  return {
    url: 'https://api.internal',
    dispatcher: agent({ connect: (_options, callback) => callback(failure, null) }),
  }
}

const refusingProxy: Fault = async () => {
  const server = createHttpServer().on('connect', (_request, socket) => socket.end('HTTP/1.1 503 Busy\r\n\r\n'))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  onTestFinished(() => void server.close())
  const dispatcher = closing(new ProxyAgent(`http://127.0.0.1:${(server.address() as AddressInfo).port}`))
  return { url: 'https://api.internal', dispatcher }
}

const code = (text: string | RegExp): object => ({
  code: typeof text === 'string' ? text : (expect.stringMatching(text) as string),
})

/** What undici says of each, and what a server should answer. */
const faults: readonly (readonly [string, object, number, Fault])[] = [
  ['a port that nobody listens on', code('ECONNREFUSED'), 503, closedPort],
  ['a name that is not known', code('ENOTFOUND'), 503, nameless],
  ['a connection that is reset', code(/^(?:ECONNRESET|UND_ERR_SOCKET)$/), 503, () => scripted({ reset: true })],
  ['a connection that is closed', code('UND_ERR_SOCKET'), 503, () => saying('')],
  [
    'a connection that takes too long',
    code('UND_ERR_CONNECT_TIMEOUT'),
    504,
    async () => ({
      url: 'https://api.internal',
      dispatcher: agent({ connect: { timeout: 20, lookup: () => {} } }),
    }),
  ],
  [
    "headers that take longer than undici's headersTimeout",
    code('UND_ERR_HEADERS_TIMEOUT'),
    504,
    async () => ({ url: (await scripted({ hang: true })).url, dispatcher: agent({ headersTimeout: 20 }) }),
  ],
  ['a proxy that makes no tunnel', code('UND_ERR_ABORTED'), 503, refusingProxy],
  [
    'a stream of HTTP/2 that is reset',
    code('ERR_HTTP2_STREAM_ERROR'),
    503,
    overHttp2((stream) => stream.close(constants.NGHTTP2_INTERNAL_ERROR)),
  ],
  [
    'a session of HTTP/2 that is ended',
    code('ERR_HTTP2_SESSION_ERROR'),
    503,
    overHttp2((stream) => stream.session?.goaway(constants.NGHTTP2_ENHANCE_YOUR_CALM)),
  ],
  ['a certificate for another purpose', code('INVALID_PURPOSE'), 502, withCertificateError],
  [
    'a response that is not as long as it says',
    code('UND_ERR_RES_CONTENT_LENGTH_MISMATCH'),
    502,
    () => saying('HTTP/1.1 200 OK\r\ncontent-length: 5\r\nbad header\0: x\r\n\r\nabc'),
  ],
  ['something that is not HTTP', { name: 'HTTPParserError' }, 502, () => saying('SSH-2.0-OpenSSH\r\n\r\n')],
  [
    'a certificate that is not to be trusted',
    code('DEPTH_ZERO_SELF_SIGNED_CERT'),
    502,
    async () => {
      const api = await serve((_request, response) => void response.end(), { tls: true })
      onTestFinished(() => api.close())
      return { url: api.url, dispatcher: agent() }
    },
  ],
  [
    'a certificate of another name',
    code('ERR_TLS_CERT_ALTNAME_INVALID'),
    502,
    async () => {
      const api = await serve((_request, response) => void response.end(), { tls: true })
      onTestFinished(() => api.close())
      const connect = { ca: certificate.cert, servername: 'billing.internal' }
      return { url: api.url, dispatcher: agent({ connect }) }
    },
  ],
]

async function upstreamWith(fault: Fault, options: Partial<UpstreamOptions> = {}) {
  const { url, dispatcher } = await fault()
  const given = dispatcher === undefined ? {} : { dispatcher }
  return { url, upstream: upstreamAt(url, { name: 'billing', retry: false, ...given, ...options }) }
}

describe.each(faults)('%s', (_name, raw, statusCode, fault) => {
  it('is told by request as an error that may be shown, with that of undici as its cause', async () => {
    const { url, upstream } = await upstreamWith(fault)
    const error = await rejection(upstream.request('/x'))
    expect(error).toBeInstanceOf(UpstreamUnreachableError)
    expect(error).toBeInstanceOf(TokenwellError)
    expect(error).toMatchObject({
      name: 'UpstreamUnreachableError',
      code: 'ERR_TOKENWELL_UNREACHABLE',
      message: 'Upstream "billing": the API could not be reached',
      upstream: 'billing',
      statusCode,
      status: statusCode,
      expose: true,
      cause: raw,
    })
    for (const shown of [error.message, error.stack, JSON.stringify(error)]) {
      expect(shown).not.toContain(new URL(url).host)
      expect(shown).not.toMatch(/internal/)
    }
  })

  it('is told by fetch as fetch tells it, and as what frameworks answer', async () => {
    const { upstream } = await upstreamWith(fault)
    const error = await rejection(upstream.fetch('/x'))
    expect(error).toBeInstanceOf(TypeError)
    expect(error).toBeInstanceOf(TokenwellError)
    expect(error).toBeInstanceOf(UpstreamUnreachableError)
    expect(error).toMatchObject({
      name: 'TypeError',
      message: 'fetch failed',
      code: 'ERR_TOKENWELL_UNREACHABLE',
      upstream: 'billing',
      statusCode,
      status: statusCode,
      expose: true,
      cause: raw,
    })
  })

  it('is told by dispatcher as undici tells it, which its interceptors ask for', async () => {
    const { url, upstream } = await upstreamWith(fault)
    const error = await rejection(upstream.dispatcher.request({ origin: url, path: '/x', method: 'GET' }))
    expect(error).toMatchObject(raw)
    expect(error).not.toBeInstanceOf(TokenwellError)
  })
})

it.each(['request', 'fetch'] as const)('what came and was not HTTP is not in the error: %s', async (entry) => {
  const answer = 'HTTP/1.1 200 OK\r\nx-a: b\r\nbad header\0: x\r\n\r\nthe balance'
  const { upstream } = await upstreamWith(() => saying(answer))
  const error = await rejection<unknown>(upstream[entry]('/x'))
  expect(error).toMatchObject({
    statusCode: 502,
    cause: { name: 'HTTPParserError', message: expect.stringContaining('HTTP/1.1 protocol') as string },
  })
  expect(inspect(error, { depth: 9, showHidden: true })).not.toContain('balance')
})

describe('an error of fetch', () => {
  it('is logged with its cause, and serialized as our own errors are', async () => {
    const { upstream } = await upstreamWith(closedPort)
    const error = await rejection(upstream.fetch('/x'))
    expect(inspect(error)).toMatch(/^TypeError: fetch failed\n[^]*\[cause\]: Error: connect ECONNREFUSED/)
    expect(JSON.parse(JSON.stringify(error))).toEqual({
      name: 'UpstreamUnreachableError',
      code: 'ERR_TOKENWELL_UNREACHABLE',
      message: 'Upstream "billing": the API could not be reached',
      statusCode: 503,
    })
  })

  it('may end a token request, where a credential is fetched from another upstream', async () => {
    const { upstream: vault } = await upstreamWith(closedPort)
    const source = createTokenSource({
      tokenEndpoint: 'http://127.0.0.1:1',
      clientId: 'orders',
      clientAuth: clientSecretBasic(async () => (await vault.fetch('/secret')).text()),
    })
    onTestFinished(() => source.close())
    expect(await rejection(source.get())).toMatchObject({
      code: 'ERR_TOKENWELL_TOKEN_REQUEST',
      message: 'this service could not prepare its token request',
    })
  })

  it('can be told anew to one more caller', async () => {
    const { upstream } = await upstreamWith(closedPort)
    const error = (await rejection(upstream.fetch('/x'))) as unknown as UpstreamUnreachableError
    const again = error.reissue({ upstream: 'hr' })
    expect(again).not.toBe(error)
    expect(again).toMatchObject({ code: error.code, upstream: 'hr', cause: { code: 'ECONNREFUSED' } })
  })
})

describe('what is not trouble on the way is told as it came', () => {
  const entries: readonly (readonly ['request' | 'fetch'])[] = [['request'], ['fetch']]

  it.each(entries)('an abort, whatever its reason: %s', async (entry) => {
    const api = await scripted({ hang: true })
    const controller = new AbortController()
    const { signal } = controller
    const waiting = rejection<unknown>(upstreamAt(api.url)[entry]('/', { signal }))
    await expect.poll(() => api.requests.length).toBe(1)
    const reason = Object.assign(new Error('ours was reset'), { code: 'ECONNRESET' })
    controller.abort(reason)
    expect(await waiting).toBe(reason)
  })

  const refused = () => Object.assign(new Error('the vault is away'), { code: 'ECONNREFUSED', syscall: 'connect' })

  it.each(entries)('what a token source throws: %s', async (entry) => {
    const api = await scripted()
    const failure = refused()
    const oauth = { ...fixedSource(), peek: () => undefined, get: () => Promise.reject(failure) }
    expect(await rejection<unknown>(upstreamAt(api.url, { oauth })[entry]('/'))).toBe(failure)
    expect(api.connectionCount).toBe(0)
  })

  it.each(entries)('what a function of the context throws: %s', async (entry) => {
    const api = await scripted()
    const failure = refused()
    const subjectToken = () => {
      throw failure
    }
    const exchange = { grant: tokenExchange({ subjectToken }), clientId: 'a', clientAuth: none() }
    const byTenant = () => subjectToken()
    for (const oauth of [{ ...exchange, tokenEndpoint: api.url }, byTenant]) {
      const upstream = upstreamAt(api.url, { oauth }).with({ tenant: 'acme' })
      expect(await rejection<unknown>(upstream[entry]('/'))).toBe(failure)
    }
    expect(api.connectionCount).toBe(0)
  })

  it('what the function of a body throws, also after a wait for the token', async () => {
    const api = await scripted()
    const failure = refused()
    const body = () => {
      throw failure
    }
    for (const oauth of [fixedSource(), { ...fixedSource(), peek: () => undefined }]) {
      const upstream = upstreamAt(api.url, { oauth })
      expect(await rejection(upstream.request('/', { method: 'PUT', body }))).toBe(failure)
    }
  })

  it('a body of an inbound request whose caller hangs up', async () => {
    const api = await scripted({ hang: true })
    const outcome = Promise.withResolvers<Error>()
    const inbound = createHttpServer((body) => {
      void rejection(upstreamAt(api.url).request('/', { method: 'POST', body })).then(outcome.resolve)
    })
    await once(inbound.listen(0, '127.0.0.1'), 'listening')
    onTestFinished(() => void inbound.close())
    const { port } = inbound.address() as AddressInfo
    const caller = createConnection(port, '127.0.0.1')
    caller.write('POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1000\r\n\r\nthe beginning')
    await expect.poll(() => api.connectionCount).toBe(1)
    caller.destroy()
    expect(await outcome.promise).toMatchObject({ code: 'ECONNRESET', message: 'aborted' })
    expect(await outcome.promise).not.toBeInstanceOf(TokenwellError)
  })

  it('a redirect that was not wanted, and a body that is not what was to come', async () => {
    const api = await scripted(({ path }) =>
      path === '/there' ? { body: 'x' } : { status: 302, headers: { location: '/there' } },
    )
    const upstream = upstreamAt(api.url)
    for (const [failed, message] of [
      [upstream.fetch('/', { redirect: 'error' }), 'unexpected redirect'],
      [upstream.fetch('/there', { integrity: 'sha256-AAAA' }), 'integrity mismatch'],
    ] as const) {
      const error = await rejection(failed)
      expect(error).toMatchObject({ name: 'TypeError', message: 'fetch failed', cause: { message } })
      expect(error).not.toBeInstanceOf(TokenwellError)
    }
  })

  it('a body that cannot be read', async () => {
    const api = await scripted()
    const body = createReadStream(new URL('there-is-no-such-file', import.meta.url))
    const error = await rejection(upstreamAt(api.url).request('/', { method: 'PUT', body }))
    expect(error).toMatchObject({ code: 'ENOENT', syscall: 'open' })
    expect(error).not.toBeInstanceOf(TokenwellError)
  })

  it("a mistake in the call's own options", async () => {
    const api = await scripted()
    const error = await rejection(upstreamAt(api.url).request('/', { headers: { 'x-a': 'b\r\nc: d' } }))
    expect(error).toMatchObject({ code: 'UND_ERR_INVALID_ARG' })
  })

  it('a mock that was not told of this call', async () => {
    const mock = new MockAgent()
    mock.disableNetConnect()
    mock.get('https://api.example').intercept({ path: '/other' }).reply(200)
    onTestFinished(() => mock.close())
    const upstream: Upstream = upstreamAt('https://api.example', { dispatcher: mock })
    const error = await rejection(upstream.request('/x'))
    expect(error).toMatchObject({ code: 'UND_MOCK_ERR_MOCK_NOT_MATCHED' })
  })

  it('a response that breaks off', async () => {
    const api = await scripted({ body: 'abcdef', truncate: 3 })
    const { body } = await upstreamAt(api.url).request('/')
    expect(await rejection(body.text())).toMatchObject({ code: 'UND_ERR_SOCKET' })
    const response = await upstreamAt(api.url).fetch('/')
    const error = await rejection(response.text())
    expect(error).toMatchObject({ name: 'TypeError', message: 'terminated', cause: { code: 'UND_ERR_SOCKET' } })
    expect(error).not.toBeInstanceOf(TokenwellError)
  })
})
