import type { ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setTimeout as delay } from 'node:timers/promises'

import type { FullReply, SlowReply, StaticReply, TruncatedReply } from './reply.ts'

/** Acts out the reply. Rejects when the peer goes away or `closing` is aborted before it is done. */
export async function sendReply(reply: StaticReply, response: ServerResponse, closing: AbortSignal): Promise<void> {
  if ('hang' in reply) return
  if (reply.delayMs !== undefined) await delay(reply.delayMs, undefined, { signal: closing })

  if ('reset' in reply) {
    response.socket?.resetAndDestroy()
  } else if ('redirect' in reply) {
    response.writeHead(reply.status ?? 302, { location: String(reply.redirect), 'content-length': 0 }).end()
  } else if ('endless' in reply) {
    response.writeHead(reply.status ?? 200, { 'content-type': 'application/json' })
    await pipeline(Readable.from(endlessJson()), response)
  } else if ('truncate' in reply) {
    await sendTruncated(reply, response)
  } else if ('slowBody' in reply) {
    const body = writeHead(reply, response)
    await pipeline(Readable.from(inPieces(body, reply.slowBody, closing)), response)
  } else {
    response.end(writeHead(reply, response))
  }
}

async function sendTruncated(reply: TruncatedReply, response: ServerResponse): Promise<void> {
  const sent = toBytes(reply.body).subarray(0, reply.truncate)
  writeHead(reply, response, sent.length + 1)
  response.flushHeaders()
  if (sent.length > 0) await new Promise((resolve) => response.write(sent, resolve))
  response.socket?.destroySoon()
}

function writeHead(reply: FullReply, response: ServerResponse, atLeast = 0): Buffer {
  const body = toBytes(reply.body)
  if (isJson(reply.body)) response.setHeader('content-type', 'application/json')
  response.setHeader('content-length', Math.max(body.length, atLeast))
  for (const [name, value] of Object.entries(reply.headers ?? {})) response.setHeader(name, value)
  response.writeHead(reply.status ?? 200)
  return body
}

function isJson(body: FullReply['body']): boolean {
  return typeof body === 'object' && !(body instanceof Uint8Array)
}

function toBytes(body: FullReply['body']): Buffer {
  if (body instanceof Uint8Array) return Buffer.from(body)
  return Buffer.from(typeof body === 'string' ? body : body === undefined ? '' : JSON.stringify(body))
}

async function* inPieces(body: Buffer, { chunk, everyMs }: SlowReply['slowBody'], closing: AbortSignal) {
  const size = Math.max(1, chunk)
  for (let sent = 0; sent < body.length; sent += size) {
    if (sent > 0) await delay(everyMs, undefined, { signal: closing })
    yield body.subarray(sent, sent + size)
  }
}

function* endlessJson() {
  yield '{"access_token":"'
  const chunk = 'a'.repeat(16 * 1024)
  for (;;) yield chunk
}
