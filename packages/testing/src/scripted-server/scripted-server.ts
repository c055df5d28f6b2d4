import { listenOnLoopback } from '../loopback-server.ts'
import { recordRequest, type RecordedRequest } from './recorded-request.ts'
import type { Reply, StaticReply } from './reply.ts'
import { sendReply } from './send-reply.ts'

/** An HTTP server on 127.0.0.1 that answers by a script, for faults that a real server will not make on demand. */
export interface ScriptedServer extends AsyncDisposable {
  /** `http://127.0.0.1:port`; every path is answered alike. */
  readonly url: string
  /** Requests that were read to their end, answered or not. */
  readonly requests: readonly RecordedRequest[]
  /** Connections accepted since the start. */
  readonly connectionCount: number
  /** Connections open now. */
  readonly openConnectionCount: number
  /** Replaces the script. Replies are used in order and the last one repeats; without any, the answer is 501. */
  respondWith(...replies: readonly Reply[]): void
  /** Ends all connections at once and frees the port. Calling it again changes nothing. */
  close(): Promise<void>
}

const unscripted: StaticReply = { status: 501, body: 'no reply is scripted' }

/** Starts a scripted server. `reply` is what `respondWith(reply)` would set. */
export async function createScriptedServer(reply?: Reply): Promise<ScriptedServer> {
  const requests: RecordedRequest[] = []
  let script: readonly Reply[] = reply === undefined ? [] : [reply]

  const nextReply = (): Reply => {
    const [next, ...rest] = script
    if (rest.length > 0) script = rest
    return next ?? unscripted
  }

  const server = await listenOnLoopback((incoming, response) => {
    const answer = async (): Promise<void> => {
      const request = await recordRequest(incoming)
      const index = requests.push(request) - 1
      await sendReply(await computeReply(nextReply(), request, index), response, server.closing)
    }
    // What rejects here is a peer that went away or this server closing: nobody is left to be told.
    answer().catch(() => response.destroy())
  })

  return {
    url: server.url,
    requests,
    get connectionCount() {
      return server.connectionCount
    },
    get openConnectionCount() {
      return server.openConnectionCount
    },
    respondWith(...replies) {
      script = replies
    },
    close: () => server.close(),
    [Symbol.asyncDispose]: () => server.close(),
  }
}

async function computeReply(reply: Reply, request: RecordedRequest, index: number): Promise<StaticReply> {
  if (typeof reply !== 'function') return reply
  try {
    return await reply(request, index)
  } catch (error) {
    return { status: 500, body: `the script threw: ${error instanceof Error ? error.message : String(error)}` }
  }
}
