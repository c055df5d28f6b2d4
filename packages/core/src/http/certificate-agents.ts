import { Agent, type Dispatcher } from 'undici'
import type { Clock } from '../clock.ts'
import type { ClientCertificate } from '../oauth/client-certificate.ts'

const drainMs = 30_000

interface Connections {
  readonly version: string
  readonly agent: Agent
  requests: number
  /** Set when there is another certificate. */
  cancelEnd: (() => void) | undefined
}

/**
 * Connections that show a client certificate. With another certificate there are other connections; those of the one
 * before may end what they have begun, for half a minute at most.
 */
export class CertificateAgents {
  readonly #clock: Clock
  readonly #all = new Set<Connections>()
  #current: Connections | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Runs one request over connections that show this certificate. */
  async request<Result>(certificate: ClientCertificate, send: (over: Dispatcher) => Promise<Result>): Promise<Result> {
    const connections = this.#connectionsFor(certificate)
    connections.requests += 1
    try {
      return await send(connections.agent)
    } finally {
      connections.requests -= 1
      if (connections.cancelEnd !== undefined && connections.requests === 0) void this.#end(connections)
    }
  }

  async close(): Promise<void> {
    await Promise.all([...this.#all].map((connections) => this.#end(connections)))
  }

  #connectionsFor({ version, secureContext }: ClientCertificate): Connections {
    if (this.#current?.version === version) return this.#current
    if (this.#current !== undefined) this.#retire(this.#current)
    const agent = new Agent({ connect: { secureContext } })
    this.#current = { version, agent, requests: 0, cancelEnd: undefined }
    this.#all.add(this.#current)
    return this.#current
  }

  // Not agent.close(), which forgets its connections at once: nothing could end them early any more.
  #retire(connections: Connections): void {
    connections.cancelEnd = this.#clock.setTimer(() => void this.#end(connections), drainMs, { unref: true })
    if (connections.requests === 0) void this.#end(connections)
  }

  async #end(connections: Connections): Promise<void> {
    connections.cancelEnd?.()
    this.#all.delete(connections)
    if (this.#current === connections) this.#current = undefined
    await connections.agent.destroy()
  }
}
