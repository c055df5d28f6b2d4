import { request as httpsRequest } from 'node:https'

/** What `fetchTrusting` sends. */
export interface FetchInit {
  /** Default: `GET`. */
  readonly method?: string
  readonly headers?: Headers
  readonly body?: string
  readonly signal?: AbortSignal
}

/** A request by which nothing is left open when it is done. */
export type TrustingFetch = (url: string, init: FetchInit) => Promise<Response>

/** `fetch` for servers whose certificate comes from the authority `ca`, PEM; Node.js's own `fetch` without one. */
export function fetchTrusting(ca: string | undefined): TrustingFetch {
  if (ca === undefined) return (url, init) => fetch(url, init)
  return (url, { method = 'GET', headers = new Headers(), body, signal }) =>
    new Promise((resolve, reject) => {
      const request = httpsRequest(url, {
        ca,
        method,
        headers: Object.fromEntries(headers),
        // An agent would keep the connection, and with it the process.
        agent: false,
        ...(signal === undefined ? {} : { signal }),
      })
      request.once('error', reject)
      request.once('response', (response) => {
        const read = async (): Promise<Response> => {
          const chunks: Buffer[] = []
          for await (const chunk of response) chunks.push(chunk as Buffer)
          return new Response(Buffer.concat(chunks), { status: response.statusCode ?? 0 })
        }
        read().then(resolve, reject)
      })
      request.end(body)
    })
}
