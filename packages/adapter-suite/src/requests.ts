import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { connect } from 'node:net'
import { setImmediate } from 'node:timers/promises'

import type { Upstream } from '@tokenwell/core'
import { expect } from 'vitest'

import { portOf, urlOf, type Service } from './service.ts'
import type { Servers } from './servers.ts'

/** What the API answers: the request as it saw it. */
export interface Seen {
  readonly method: string
  readonly path: string
  readonly clientId: string
  readonly scope: string
  readonly tokenType: string
  readonly headers: Readonly<Record<string, string>>
}

export const traceHeaders = {
  traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  tracestate: 'vendor=value',
  baggage: 'tenant=acme',
  'x-request-id': 'r-1',
}

/** The ways to make a call and to read its answer. */
export const ways: readonly (readonly [string, (billing: Upstream) => Promise<unknown>])[] = [
  ['fetch', async (billing) => (await billing.fetch('/invoices/42')).json()],
  ['request', async (billing) => (await billing.request('/invoices/42')).body.json()],
]

/** A handler that calls the API and answers with what that answers. */
export const callInvoices = async (billing: Upstream): Promise<unknown> => (await billing.fetch('/invoices/42')).json()

/** The answer of a service that is well. */
export async function ask(service: Service, init: RequestInit = {}): Promise<Seen> {
  const response = await fetch(urlOf(service), init)
  expect(response.status).toBeLessThan(300)
  return (await response.json()) as Seen
}

/** Sends a GET with these header lines, as the bytes they are, over a connection of its own. */
export async function sendLines(service: Service, lines: string): Promise<{ status: number; body: string }> {
  const socket = connect(portOf(service), '127.0.0.1')
  socket.write(`GET /orders/42 HTTP/1.1\r\nhost: orders.example.com\r\nconnection: close\r\n${lines}\r\n\r\n`, 'latin1')
  const answer = Buffer.concat(await socket.toArray()).toString()
  const [head = '', body = ''] = answer.split('\r\n\r\n')
  return { status: Number(head.split(' ')[1]), body }
}

/** A caller that can hang up. */
export interface Caller {
  /** Resolves when the service has noticed. */
  hangUp(): Promise<void>
}

/** A request whose answer nobody will get. */
export function call(service: Service, init: RequestInit = {}): Caller {
  const [controller, ended] = [new AbortController(), nextInboundEnd(service)]
  const answer = fetch(urlOf(service), { ...init, signal: controller.signal })
  return {
    async hangUp() {
      controller.abort()
      await expect(answer).rejects.toThrow('abort')
      await ended
    },
  }
}

/** The end of the next inbound request, whichever side ended it. */
export async function nextInboundEnd({ server }: Service): Promise<void> {
  const [, response] = (await once(server, 'request')) as [IncomingMessage, ServerResponse]
  await once(response, 'close')
  await setImmediate()
}

/** Lets token requests arrive, and holds their answers until `release` is called or the scope is left. */
export function holdTokens({ authorizationServer }: Servers) {
  const [arrived, released] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const remove = authorizationServer.onTokenRequest(() => {
    arrived.resolve()
    return released.promise
  })
  const release = () => {
    remove()
    released.resolve()
  }
  return { arrived: arrived.promise, release, [Symbol.dispose]: release }
}
