import { fork } from 'node:child_process'
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
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
  /** The same API on more ports, if more were asked for: who opens connections by the thousand runs out of ports of its own to one. */
  readonly apiUrls: readonly string[]
  set(settings: Partial<TokenEndpointSettings>): void
  /** Has the API refuse every token that was issued so far, but the one of the client `limit`. */
  revoke(): void
  /** Token requests, by client, since the last time this was asked for. */
  counts(): Promise<Record<string, number>>
  stop(): void
}

/** Starts both servers. */
export async function startServers(settings: Partial<TokenEndpointSettings> = {}, apiPorts = 1): Promise<BenchServers> {
  const env = { ...process.env, TOKENWELL_BENCH: JSON.stringify(settings), TOKENWELL_BENCH_PORTS: String(apiPorts) }
  const child = fork(import.meta.filename, { env, execArgv: [] })
  const [urls] = (await once(child, 'message')) as [Pick<BenchServers, 'tokenEndpoint' | 'apiUrl' | 'apiUrls'>]
  return {
    ...urls,
    set: (changes) => void child.send({ set: changes }),
    revoke: () => void child.send({ revoke: true }),
    async counts() {
      child.send({ counts: true })
      const [counts] = (await once(child, 'message')) as [Record<string, number>]
      return counts
    },
    stop: () => void child.kill(),
  }
}

interface Claims {
  readonly sub: string
  readonly jti: number
  /** Seconds, and fractions of them: RFC 7519 §2 allows those, and a life of 2 s is too short to round. */
  readonly exp: number
}

const key = randomBytes(32)
const head = Buffer.from(JSON.stringify({ alg: 'HS256', typ: 'at+jwt' })).toString('base64url')
// Tokens of the size that they have out there.
const roles = Array.from({ length: 24 }, (_, index) => `https://api.example/roles/${index}`)

const signed = (text: string) => createHmac('sha256', key).update(text).digest()

function issue(claims: Claims): string {
  const body = { iss: 'https://as.example', aud: 'https://api.example', client_id: claims.sub, roles, ...claims }
  const text = `${head}.${Buffer.from(JSON.stringify(body)).toString('base64url')}`
  return `${text}.${signed(text).toString('base64url')}`
}

function verified(token: string): Claims | undefined {
  const end = token.lastIndexOf('.')
  const signature = Buffer.from(token.slice(end + 1), 'base64url')
  if (signature.length !== 32 || !timingSafeEqual(signature, signed(token.slice(0, end)))) return undefined
  return JSON.parse(Buffer.from(token.slice(head.length + 1, end), 'base64url').toString()) as Claims
}

/** Which client asks, by Basic or in the form, whatever its secret. */
function clientOf(request: IncomingMessage, form: URLSearchParams): string {
  const basic = Buffer.from(request.headers.authorization?.slice('Basic '.length) ?? '', 'base64').toString()
  return form.get('client_id') ?? decodeURIComponent(basic.split(':')[0] ?? '')
}

type Handler = (request: IncomingMessage, body: string, response: ServerResponse) => void

async function listen(handler: Handler): Promise<string> {
  const server = createServer((request, response) => {
    let body = ''
    request.setEncoding('utf8')
    request.on('data', (chunk: string) => (body += chunk))
    request.on('end', () => handler(request, body, response))
  })
  // Room for a thousand first callers, each with a connection of its own, and none that an idle second cuts off.
  server.keepAliveTimeout = 60_000
  server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 })
  await once(server, 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

async function serve(): Promise<void> {
  const initial = JSON.parse(process.env['TOKENWELL_BENCH'] ?? '{}') as Partial<TokenEndpointSettings>
  let settings: TokenEndpointSettings = { expiresIn: 3600, delayMs: 0, down: false, ...initial }
  let counts: Record<string, number> = {}
  let issued = 0
  let revoked = 0

  const token: Handler = (request, body, response) => {
    const client = clientOf(request, new URLSearchParams(body))
    counts[client] = (counts[client] ?? 0) + 1
    // The bare HTTP clients have one token for all of the run.
    const bare = client === 'limit'
    const expiresIn = bare ? 3600 : settings.expiresIn
    const type = request.headers['dpop'] === undefined ? 'Bearer' : 'DPoP'
    const answer = () => {
      const down = settings.down && !bare
      response.writeHead(down ? 503 : 200, { 'content-type': 'application/json', 'cache-control': 'no-store' })
      issued += 1
      // The life is counted from when the server made it, which is what a real one does.
      const accessToken = issue({ sub: client, jti: issued, exp: Date.now() / 1000 + expiresIn })
      response.end(
        down
          ? '{"error":"temporarily_unavailable"}'
          : JSON.stringify({ access_token: accessToken, token_type: type, expires_in: expiresIn }),
      )
    }
    setTimeout(answer, bare ? 0 : settings.delayMs)
  }
  // Really looks at each token: at its signature, its end, and whether it was revoked.
  const api: Handler = (request, _body, response) => {
    const sent = /^(?:Bearer|DPoP) ([\w.-]+)$/.exec(request.headers.authorization ?? '')?.[1] ?? ''
    const claims = verified(sent)
    const good =
      claims !== undefined && Date.now() / 1000 < claims.exp && (claims.jti > revoked || claims.sub === 'limit')
    response.writeHead(
      good ? 200 : 401,
      good ? { 'content-type': 'application/json' } : { 'www-authenticate': 'Bearer error="invalid_token"' },
    )
    response.end(good ? '{}' : '')
  }
  process.on('message', (message: { set?: Partial<TokenEndpointSettings>; revoke?: true; counts?: true }) => {
    if (message.set !== undefined) settings = { ...settings, ...message.set }
    if (message.revoke === true) revoked = issued
    if (message.counts === true) {
      process.send?.(counts)
      counts = {}
    }
  })
  process.on('disconnect', () => process.exit())
  const ports = Array.from({ length: Number(process.env['TOKENWELL_BENCH_PORTS'] ?? 1) }, () => listen(api))
  const apiUrls = await Promise.all(ports)
  process.send?.({ tokenEndpoint: `${await listen(token)}/token`, apiUrl: apiUrls[0], apiUrls })
}

if (import.meta.main) await serve()
