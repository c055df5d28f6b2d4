import { Agent, request, type Dispatcher } from 'undici'
import type { Clock } from '../clock.ts'
import {
  BodyTooLargeError,
  type HttpExchange,
  type HttpExchangeRequest,
  type HttpExchangeResponse,
} from '../oauth/http-exchange.ts'
import { boundOrigins, mayPass } from './bound-origins.ts'
import { CertificateAgents } from './certificate-agents.ts'

const maxBodyBytes = 1024 * 1024

/** The way to the authorization server, and its end. */
export interface ServerConnection {
  readonly exchange: HttpExchange
  close(): Promise<void>
}

/**
 * Requests to the authorization server over undici: redirects are not followed, and a body is read up to 1 MiB.
 * A dispatcher that was given is never closed. Requests with a certificate have connections of their own.
 */
export function connectToServer(given: Dispatcher | undefined, clock: Clock): ServerConnection {
  const usual = given ?? new Agent()
  const withCertificate = new CertificateAgents(clock)
  const bound = given === undefined ? undefined : boundOrigins(given)
  const exchange: HttpExchange = async (message) => {
    const { certificate, url } = message
    const { origin } = new URL(url)
    // A Client or a Pool sends what it is given to its own origin: there the credentials have no business.
    if (bound !== undefined && !mayPass(bound(), origin, new Set([origin]))) {
      throw new TypeError(`oauth.dispatcher: expected one that can send to ${origin}, not one that is bound elsewhere`)
    }
    if (certificate === undefined) return send(message, usual)
    return withCertificate.request(certificate, (dispatcher) => send(message, dispatcher))
  }
  const close = async () => {
    await Promise.all([given === undefined ? usual.destroy() : undefined, withCertificate.close()])
  }
  return { exchange, close }
}

async function send(message: HttpExchangeRequest, dispatcher: Dispatcher): Promise<HttpExchangeResponse> {
  const { url, method, headers, body, signal } = message
  // A dispatcher that was given may have the redirect interceptor, which asks each request.
  const options = { method, headers, body: body ?? null, signal: signal ?? null, maxRedirections: 0 }
  const response = await request(url, { dispatcher, ...options })
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
    size += chunk.byteLength
    // Leaving the loop destroys the body, and with it the connection.
    if (size > maxBodyBytes) throw new BodyTooLargeError(`the answer is longer than ${maxBodyBytes} bytes`)
    chunks.push(chunk)
  }
  return { status: response.statusCode, headers: toHeaders(response.headers), body: Buffer.concat(chunks).toString() }
}

function toHeaders(fields: Dispatcher.ResponseData['headers']): Headers {
  const headers = new Headers()
  for (const [name, value] of Object.entries(fields)) {
    for (const one of Array.isArray(value) ? value : [value ?? '']) headers.append(name, one)
  }
  return headers
}
