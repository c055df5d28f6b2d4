import { createServer, type RequestListener } from 'node:http'
import { createServer as createTlsServer, type ServerOptions } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'

import type { TlsIdentity } from './certificates/tls-identity.ts'

/** Whether a server with TLS asks clients for a certificate, and whether one that it does not trust will do. */
export type ClientCertificates = 'ignored' | 'requested' | 'required'

/** How a loopback server listens. */
export interface ListenOptions {
  /** Default: 0, a free one. */
  readonly port?: number
  /** Default: plain HTTP. */
  readonly tls?: TlsIdentity | undefined
  /** Default: `ignored`. With `required`, a client without a certificate of the same authority is not connected. */
  readonly clientCertificates?: ClientCertificates
}

/** An HTTP server on 127.0.0.1 that can be closed at once, whatever its connections are doing. */
export interface LoopbackServer {
  /** `http://127.0.0.1:port` or, with TLS, `https://127.0.0.1:port`; without a slash at the end. */
  readonly url: string
  /** Connections accepted since the start. */
  readonly connectionCount: number
  /** Connections open now. */
  readonly openConnectionCount: number
  /** Aborted when the server closes; for timers that answers wait on. */
  readonly closing: AbortSignal
  /** Ends all sockets at once. Resolves when no handle is left; calling it again changes nothing. */
  close(): Promise<void>
}

/** Listens on 127.0.0.1. A port in use rejects with Node's own error. */
export async function listenOnLoopback(
  listener: RequestListener,
  { port = 0, tls, clientCertificates = 'ignored' }: ListenOptions = {},
): Promise<LoopbackServer> {
  const sockets = new Set<Socket>()
  const abort = new AbortController()
  let connectionCount = 0
  let closed: Promise<void> | undefined

  const server =
    tls === undefined ? createServer(listener) : createTlsServer(tlsOptions(tls, clientCertificates), listener)
  server.on('connection', (socket: Socket) => {
    connectionCount += 1
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })

  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', () => {
      server.off('error', reject)
      resolve()
    })
  })
  const address = server.address() as AddressInfo

  const closeAll = async (): Promise<void> => {
    const ended = [new Promise((resolve) => server.close(resolve))]
    abort.abort()
    for (const socket of sockets) {
      // The server's own callback may come before the sockets' last events.
      ended.push(new Promise((resolve) => socket.once('close', resolve)))
      socket.destroy()
    }
    await Promise.all(ended)
  }

  return {
    url: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${address.port}`,
    get connectionCount() {
      return connectionCount
    },
    get openConnectionCount() {
      return sockets.size
    },
    closing: abort.signal,
    close() {
      closed ??= closeAll()
      return closed
    },
  }
}

function tlsOptions({ authority, cert, key }: TlsIdentity, clientCertificates: ClientCertificates): ServerOptions {
  return {
    cert,
    key,
    ca: authority.cert,
    requestCert: clientCertificates !== 'ignored',
    rejectUnauthorized: clientCertificates === 'required',
  }
}
