import type { IncomingMessage, ServerResponse } from 'node:http'
import { type Agent, buildConnector } from 'undici'
import { certificate } from './certificate.ts'
import { serve, type BareServer } from './serve.ts'

/** One request of a call, as a server saw it. */
export interface Sighting {
  /** Which hop of the call: 0 is the first. */
  readonly hop: number
  /** Scheme, and host as the Host header has it. */
  readonly origin: string
  readonly credentials: readonly string[]
}

/** The servers that redirect to each other. */
export type HostName = 'api' | 'files' | 'secureApi' | 'elsewhere' | 'secureElsewhere'

/** Where one answer sends its reader next. `path` is what is still to come. */
export type Hop = (hosts: Readonly<Record<HostName, string>>, path: string) => string

/** Servers on loopback that redirect as they are told, and keep what they saw. */
export interface Redirects extends AsyncDisposable {
  readonly hosts: Readonly<Record<HostName, string>>
  /** Trusts the servers' certificate, and finds every name and address on loopback: nothing leaves the machine. */
  readonly agentOptions: Agent.Options
  /** The path of a new journey: each hop is answered with `status` and its Location, the last one with 200. */
  start(hops: readonly Hop[], status: number): string
  /** What was seen of a journey, in turn. */
  seen(path: string): readonly Sighting[]
  close(): Promise<void>
}

// What may not be seen by a stranger: RFC 6750 §2.1, RFC 9449 §4.1.
const credentialHeaders = ['authorization', 'dpop'] as const

interface Journey {
  readonly hops: readonly Hop[]
  readonly status: number
  readonly seen: Sighting[]
}

/** Starts the servers. */
export async function createRedirects(): Promise<Redirects> {
  const journeys: Journey[] = []
  const hosts = {} as Record<HostName, string>

  const answer = (scheme: string) => (request: IncomingMessage, response: ServerResponse) => {
    const [journeyIndex, hopIndex] = (request.url ?? '').split('/').slice(1).map(Number)
    const journey = journeys[journeyIndex ?? -1]
    if (journey === undefined || hopIndex === undefined) return void response.writeHead(404).end()
    const credentials = credentialHeaders.flatMap((name) => request.headersDistinct[name] ?? [])
    journey.seen.push({ hop: hopIndex, origin: `${scheme}://${request.headers.host}`, credentials })
    const location = journey.hops[hopIndex]?.(hosts, `/${journeyIndex}/${hopIndex + 1}`)
    request.resume()
    return void response.writeHead(...head(journey.status, location)).end()
  }

  const secure: readonly HostName[] = ['secureApi', 'secureElsewhere']
  const plain: readonly HostName[] = ['api', 'files', 'elsewhere']
  const servers: BareServer[] = []
  for (const name of [...secure, ...plain]) {
    const tls = secure.includes(name)
    const server = await serve(answer(tls ? 'https' : 'http'), { tls })
    servers.push(server)
    hosts[name] = server.url
  }

  const connector = buildConnector({ ca: certificate.cert })
  const onLoopback: buildConnector.connector = (options, callback) => {
    const port = options.hostname === metadataAddress ? new URL(hosts.elsewhere).port : options.port
    connector({ ...options, hostname: '127.0.0.1', port }, callback)
  }

  const close = async () => void (await Promise.all(servers.map((server) => server.close())))
  return {
    hosts,
    agentOptions: { connect: onLoopback },
    start: (hops, status) => `/${journeys.push({ hops, status, seen: [] }) - 1}/0`,
    seen: (path) => journeys[Number(path.split('/')[1])]?.seen ?? [],
    close,
    [Symbol.asyncDispose]: close,
  }
}

/** Where clouds keep what a machine may know about itself. */
export const metadataAddress = '169.254.169.254'

function head(status: number, location: string | undefined): [number, Record<string, string>?] {
  return location === undefined ? [200] : [status, { location }]
}
