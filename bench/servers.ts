import { fork } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** How the token endpoint behaves; may be changed while it runs. */
export interface TokenEndpointSettings {
  readonly expiresIn: number
  readonly delayMs: number
  /** Answers 503 instead. */
  readonly down: boolean
}

/** An authorization server and an API in a process of their own. */
export interface BenchServers {
  readonly tokenEndpoint: string
  readonly apiUrl: string
  set(settings: Partial<TokenEndpointSettings>): void
  /** Token requests, by client, since the last time this was asked for. */
  counts(): Promise<Record<string, number>>
  stop(): void
}

/** Starts both servers. */
export async function startServers(settings: Partial<TokenEndpointSettings> = {}): Promise<BenchServers> {
  const child = fork(import.meta.filename, { env: { ...process.env, TOKENWELL_BENCH: JSON.stringify(settings) } })
  const [urls] = (await once(child, 'message')) as [{ tokenEndpoint: string; apiUrl: string }]
  return {
    ...urls,
    set: (changes) => void child.send({ set: changes }),
    async counts() {
      child.send({ counts: true })
      const [counts] = (await once(child, 'message')) as [Record<string, number>]
      return counts
    },
    stop: () => void child.kill(),
  }
}

async function serve(): Promise<void> {
  const initial = JSON.parse(process.env['TOKENWELL_BENCH'] ?? '{}') as Partial<TokenEndpointSettings>
  let settings: TokenEndpointSettings = { expiresIn: 3600, delayMs: 0, down: false, ...initial }
  let counts: Record<string, number> = {}
  let issued = 0

  const token = (request: IncomingMessage, response: ServerResponse) => {
    // Which client, by the user name of Basic; `long` always gets an hour.
    const client =
      Buffer.from(request.headers.authorization?.slice(6) ?? '', 'base64')
        .toString()
        .split(':')[0] ?? ''
    counts[client] = (counts[client] ?? 0) + 1
    const expiresIn = client === 'long' ? 3600 : settings.expiresIn
    const type = request.headers['dpop'] === undefined ? 'Bearer' : 'DPoP'
    const arrived = Date.now()
    setTimeout(() => {
      response.writeHead(settings.down ? 503 : 200, { 'content-type': 'application/json' })
      issued += 1
      // The life is counted from when the server made it, which is what a real one does.
      const accessToken = `${Date.now() + expiresIn * 1000}-${issued}-${arrived}`
      response.end(
        settings.down ? '{}' : JSON.stringify({ access_token: accessToken, token_type: type, expires_in: expiresIn }),
      )
    }, settings.delayMs)
  }
  // Really looks at each token: its end is written in it.
  const api = (request: IncomingMessage, response: ServerResponse) => {
    const expiresAt = Number(/^(?:Bearer|DPoP) (\d+)-/.exec(request.headers.authorization ?? '')?.[1] ?? 0)
    response.writeHead(Date.now() < expiresAt ? 200 : 401).end('{}')
  }
  const listen = async (handler: (request: IncomingMessage, response: ServerResponse) => void) => {
    const server = createServer(
      (request, response) => void request.resume().on('end', () => handler(request, response)),
    )
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  }
  process.on('message', (message: { set?: Partial<TokenEndpointSettings>; counts?: true }) => {
    if (message.set !== undefined) settings = { ...settings, ...message.set }
    if (message.counts === true) {
      process.send?.(counts)
      counts = {}
    }
  })
  process.on('disconnect', () => process.exit())
  process.send?.({ tokenEndpoint: await listen(token), apiUrl: await listen(api) })
}

if (import.meta.main) await serve()
