import { startChild, type Child } from '@tokenwell/example-suite/child'
import type { AuthorizationServer, ProtectedApi } from '@tokenwell/testing'
import type { Caller } from './callers.ts'
import { audience } from './users.ts'

/** An example that was started. */
export interface Example {
  readonly caller: Caller
  readonly child: Child
}

/** Starts an example as a process of its own, configured by its environment as it would be in production. */
export function startExample(caller: Caller, server: AuthorizationServer, api: ProtectedApi): Example {
  const child = startChild(new URL(caller.start, import.meta.url), {
    HOST: '127.0.0.1',
    PORT: '0',
    INTERVAL_MS: '100',
    BILLING_URL: `${api.url}/v1`,
    ISSUER: server.issuer,
    JWKS_URI: server.jwksUri,
    AUDIENCE: audience,
    CLIENT_ID: caller.client.clientId,
    ...caller.env,
  })
  return { caller, child }
}

/** The URL that a service prints when it is ready. */
export function findUrl({ child }: Example, signal: AbortSignal): Promise<string> {
  return child.find((lines) => /http:\/\/[^/\s]+/.exec(lines.join('\n'))?.[0], signal)
}

/** How an example ended. */
export interface End {
  readonly caller: Caller
  /** What was wrong with its end, or with its life; undefined if nothing was. */
  readonly problem: string | undefined
}

/** Stops examples by SIGTERM and waits until they have ended. */
export function stopExamples(examples: readonly Example[]): Promise<readonly End[]> {
  return Promise.all(examples.map(async ({ caller, child }) => ({ caller, problem: await child.stop() })))
}
