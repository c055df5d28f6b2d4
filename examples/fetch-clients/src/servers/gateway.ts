import { once } from 'node:events'
import { createServer, request as httpRequest, type IncomingMessage, type RequestListener } from 'node:http'
import { buffer } from 'node:stream/consumers'
import type { ProtectedApi } from '@tokenwell/testing'
import { listen, stop, urlOf } from './listen.ts'

/** A request that came to a gateway. Holds no token. */
export interface GatewayRequest {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: Buffer
  /** What the protected API said about its token. */
  readonly status: number
}

/** A server on 127.0.0.1 that lets through what a protected API lets through. */
export interface Gateway {
  readonly url: string
  /** Answered requests, and those that were passed on, in the order of the API's verdicts. */
  readonly requests: readonly GatewayRequest[]
  close(): Promise<void>
}

/**
 * Puts a server that knows nothing of tokens behind a protected API: each request is first shown to the API, without its
 * body, and goes on if that answers 200. Otherwise the caller gets the API's refusal.
 */
export async function startGateway(api: ProtectedApi, handler: RequestListener): Promise<Gateway> {
  const requests: GatewayRequest[] = []
  const inner = await listen(createServer(handler))
  const outer = await listen(
    createServer((request, response) => {
      const pass = async (): Promise<void> => {
        const body = await buffer(request)
        const { method = '', url: path = '' } = request
        const { authorization, ...headers } = request.headers
        const verdict = await fetch(api.url + path, {
          method,
          headers: authorization === undefined ? {} : { authorization },
        })
        requests.push({ method, path, headers, body, status: verdict.status })
        if (verdict.status !== 200) {
          response.writeHead(verdict.status, { 'www-authenticate': verdict.headers.get('www-authenticate') ?? '' })
          response.end(await verdict.text())
          return
        }
        await verdict.body?.cancel()
        const onward = httpRequest(urlOf(inner) + path, { method, headers: request.headers })
        // A caller that goes away takes the rest with it.
        response.on('close', () => onward.destroy())
        onward.end(body)
        const [answer] = (await once(onward, 'response')) as [IncomingMessage]
        response.writeHead(answer.statusCode ?? 502, answer.rawHeaders)
        answer.pipe(response)
      }
      // What rejects here is a peer that went away: nobody is left to be told.
      pass().catch(() => response.destroy())
    }),
  )
  return {
    url: urlOf(outer),
    requests,
    async close() {
      await Promise.all([outer, inner].map(stop))
    },
  }
}
