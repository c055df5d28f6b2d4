import { request, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import { connect, type Socket } from 'node:net'
import { serve } from './serve.ts'

/** What a proxy was asked: to forward a request, or to open a tunnel and see nothing of what is in it. */
export interface ProxyRequest {
  readonly method: string
  /** An absolute URL, or host and port of a tunnel. */
  readonly target: string
  readonly headers: IncomingHttpHeaders
}

/** A proxy on 127.0.0.1 that forwards (RFC 9112 §3.2.2) and tunnels (RFC 9110 §9.3.6). */
export interface Proxy extends AsyncDisposable {
  readonly url: string
  readonly requests: readonly ProxyRequest[]
  close(): Promise<void>
}

/** Starts a proxy. */
export async function createProxy(): Promise<Proxy> {
  const requests: ProxyRequest[] = []
  const record = ({ method = '', url = '', headers }: IncomingMessage) =>
    requests.push({ method, target: url, headers })

  const forward = (incoming: IncomingMessage, response: ServerResponse): void => {
    record(incoming)
    const { 'proxy-authorization': _, ...headers } = incoming.headers
    const outgoing = request(incoming.url ?? '', { method: incoming.method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(response)
    })
    outgoing.on('error', () => response.destroy())
    incoming.pipe(outgoing)
  }

  const server = await serve(forward)
  server.server.on('connect', (incoming: IncomingMessage, socket: Socket) => {
    record(incoming)
    const [host, port] = (incoming.url ?? '').split(':')
    const target = connect(Number(port), host, () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n')
      socket.pipe(target).pipe(socket)
    })
    target.on('error', () => socket.destroy())
    target.once('close', () => socket.destroy())
    socket.once('close', () => target.destroy())
  })
  const close = () => server.close()
  return { url: server.url, requests, close, [Symbol.asyncDispose]: close }
}
