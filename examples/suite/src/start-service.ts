import type { AuthorizationServer, ClientDefinition } from '@tokenwell/testing'
import { startChild } from './child.ts'

/** A service among the examples. */
export interface ServiceUnderTest {
  /** The file that starts it. */
  readonly main: URL
  readonly client: ClientDefinition
  /** What it knows of its credentials. */
  readonly env: Readonly<Record<string, string>>
}

/** By what name the authorization server knows the service when tokens are meant for it. */
export const audience = 'https://orders.example.com'

/** An answer of the service. */
export interface Answer {
  readonly status: number
  readonly challenge: string | null
  readonly body: Readonly<Record<string, unknown>>
}

/** A service that runs as a process of its own. */
export interface Service extends AsyncDisposable {
  get(path: string, headers?: Readonly<Record<string, string>>): Promise<Answer>
  /** Sends SIGTERM. Resolves to what was wrong with its end, or its life. */
  stop(): Promise<string | undefined>
}

/** Starts the service in front of `apiUrl`. Resolves when it listens. */
export async function startService(
  { main, client, env }: ServiceUnderTest,
  server: Pick<AuthorizationServer, 'issuer' | 'jwksUri'>,
  apiUrl: string,
): Promise<Service> {
  const child = startChild(main, {
    HOST: '127.0.0.1',
    PORT: '0',
    BILLING_URL: `${apiUrl}/v1`,
    ISSUER: server.issuer,
    JWKS_URI: server.jwksUri,
    AUDIENCE: audience,
    CLIENT_ID: client.clientId,
    ...env,
  })
  const find = (lines: readonly string[]) => /http:\/\/[^/\s]+/.exec(lines.join('\n'))?.[0]
  const url = await child.find(find, AbortSignal.timeout(30_000))
  return {
    async get(path, headers = {}) {
      const response = await fetch(url + path, { headers })
      const challenge = response.headers.get('www-authenticate')
      return { status: response.status, challenge, body: (await response.json()) as Answer['body'] }
    },
    stop: () => child.stop(),
    [Symbol.asyncDispose]: async () => void (await child.stop()),
  }
}
