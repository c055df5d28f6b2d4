import { createServer, type RequestListener, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { certificate } from './certificate.ts'

/** A server of Node.js itself on 127.0.0.1, for what a scripted one does not do: TLS, upgrades, tunnels, half an answer. */
export interface BareServer extends AsyncDisposable {
  /** `http://127.0.0.1:port` or `https://127.0.0.1:port`. */
  readonly url: string
  /** For its events `upgrade` and `connect`. */
  readonly server: Server
  /** Connections accepted since the start. */
  readonly connectionCount: number
  /** Connections open now, tunnels included. */
  readonly openConnectionCount: number
  close(): Promise<void>
}

/** Starts a server; with `tls`, one that shows the {@link certificate}. */
export async function serve(listener: RequestListener, { tls = false } = {}): Promise<BareServer> {
  const server = tls ? createTlsServer(certificate, listener) : createServer(listener)
  const sockets = new Set<Socket>()
  let connectionCount = 0
  server.on('connection', (socket: Socket) => {
    connectionCount += 1
    sockets.add(socket)
    // A peer that goes away in the midst of it is what some tests are about.
    socket.on('error', () => {})
    socket.once('close', () => sockets.delete(socket))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo

  const close = async (): Promise<void> => {
    const closed = new Promise((resolve) => server.close(resolve))
    for (const socket of sockets) socket.destroy()
    await closed
  }
  return {
    url: `${tls ? 'https' : 'http'}://127.0.0.1:${port}`,
    server,
    get connectionCount() {
      return connectionCount
    },
    get openConnectionCount() {
      return sockets.size
    },
    close,
    [Symbol.asyncDispose]: close,
  }
}
