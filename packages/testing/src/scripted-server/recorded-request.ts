import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'

import { readBody } from '../read-body.ts'

/** A request as the scripted server got it, secrets and all. */
export interface RecordedRequest {
  readonly method: string
  /** Path and query, as sent. */
  readonly path: string
  /** Names in lower case. */
  readonly headers: IncomingHttpHeaders
  /** Names and values in turn, as sent. */
  readonly rawHeaders: readonly string[]
  /** The bytes as sent. */
  readonly body: Buffer
  /** The body read as UTF-8. */
  readonly text: string
  /** The body read as `application/x-www-form-urlencoded`, whatever its content type is. */
  readonly form: URLSearchParams
  /** When the headers arrived, milliseconds since the epoch. */
  readonly at: number
}

/** Reads the request to its end. Rejects if the peer goes away first. */
export async function recordRequest(request: IncomingMessage): Promise<RecordedRequest> {
  const at = Date.now()
  const body = await readBody(request)
  const text = body.toString('utf8')
  return {
    method: request.method ?? '',
    path: request.url ?? '',
    headers: request.headers,
    rawHeaders: request.rawHeaders,
    body,
    text,
    form: new URLSearchParams(text),
    at,
  }
}
