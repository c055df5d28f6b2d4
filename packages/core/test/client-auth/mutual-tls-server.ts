import { hash } from 'node:crypto'
import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { tokenReply } from '@tokenwell/testing'
import type { Authority, Identity } from './certificates.ts'

/** One request as the server saw it. */
export interface SeenRequest {
  readonly path: string
  readonly form: URLSearchParams
  readonly authorization: string | undefined
  /** `x5t#S256` of the client's certificate; undefined if it showed none. */
  readonly thumbprint: string | undefined
}

export interface MutualTlsServer {
  readonly url: string
  readonly requests: readonly SeenRequest[]
  /** Certificates of the connections that are open, in the order in which they were made. */
  readonly openConnections: readonly (string | undefined)[]
  /** Thumbprints that are taken although no authority issued the certificate. */
  readonly selfSigned: Set<string>
  /** Members of its metadata besides issuer and token endpoint. */
  metadata: Record<string, unknown>
  /** The answers to token requests wait for it. */
  hold: Promise<unknown> | undefined
  close(): Promise<void>
}

/**
 * An authorization server over TLS that asks for a client certificate and knows clients by it: by its common name if
 * the authority issued it (RFC 8705 §2.1), by its thumbprint if it is self-signed (RFC 8705 §2.2).
 */
export async function mutualTlsServer(authority: Authority, own?: Identity): Promise<MutualTlsServer> {
  const { cert, key } = own ?? (await authority.issue({ commonName: 'authorization server' }))
  const requests: SeenRequest[] = []
  const sockets = new Map<TLSSocket, string | undefined>()
  const server = createServer({ cert, key, ca: authority.ca, requestCert: true, rejectUnauthorized: false })
  const seen: MutualTlsServer = {
    url: '',
    requests,
    get openConnections() {
      return [...sockets.values()]
    },
    selfSigned: new Set(),
    metadata: {},
    hold: undefined,
    close: async () => {},
  }
  server.on('secureConnection', (socket) => {
    sockets.set(socket, thumbprintOf(socket))
    socket.once('close', () => sockets.delete(socket))
  })
  server.on(
    'request',
    (request: IncomingMessage, response: ServerResponse) => void answer(seen, requests, request, response),
  )
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return Object.assign(seen, {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      const closed = once(server, 'close')
      server.close()
      for (const socket of sockets.keys()) socket.destroy()
      await closed
    },
  })
}

async function answer(
  seen: MutualTlsServer,
  requests: SeenRequest[],
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const socket = request.socket as TLSSocket
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  const form = new URLSearchParams(Buffer.concat(chunks).toString())
  const path = request.url ?? ''
  const thumbprint = thumbprintOf(socket)
  requests.push({ path, form, authorization: request.headers.authorization, thumbprint })
  const send = (status: number, body: unknown) =>
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  if (path === '/.well-known/oauth-authorization-server') {
    send(200, { issuer: seen.url, token_endpoint: `${seen.url}/token`, ...seen.metadata })
    return
  }
  await seen.hold
  const byAuthority = socket.authorized && socket.getPeerCertificate().subject.CN === form.get('client_id')
  const known = byAuthority || (thumbprint !== undefined && seen.selfSigned.has(thumbprint))
  if (known) send(200, tokenReply().body)
  else send(401, { error: 'invalid_client' })
}

function thumbprintOf(socket: TLSSocket): string | undefined {
  const { raw } = socket.getPeerCertificate() as { readonly raw?: Buffer }
  return raw === undefined ? undefined : hash('sha256', raw, 'base64url')
}
