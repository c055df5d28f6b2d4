import { fileURLToPath } from 'node:url'
import type { AuthorizationServer, ProtectedApi } from '@tokenwell/testing'
import { scope, type Caller } from './callers.ts'
import { startChild, type Child } from './child.ts'

/** An example that was started. */
export interface Example {
  readonly caller: Caller
  readonly child: Child
}

/** Starts an example as a process of its own, configured by its environment as it would be in production. */
export function startExample(caller: Caller, server: AuthorizationServer, api: ProtectedApi): Example {
  const child = startChild(fileURLToPath(new URL(caller.start, import.meta.url)), {
    HOST: '127.0.0.1',
    PORT: '0',
    INTERVAL_MS: '100',
    BILLING_URL: `${api.url}/v1`,
    BILLING_ISSUER: server.issuer,
    BILLING_CLIENT_ID: caller.client.clientId,
    BILLING_SCOPE: scope,
    ...caller.env,
  })
  return { caller, child }
}

/** The URL that a service prints when it is ready. */
export function findUrl({ child }: Example, signal: AbortSignal): Promise<string> {
  return child.find((lines) => /http:\/\/[^/\s]+/.exec(lines.join('\n'))?.[0], signal)
}

/** Stops examples. Resolves to what was wrong, each with the example's name. */
export async function stopExamples(examples: readonly Example[]): Promise<readonly string[]> {
  const ends = await Promise.all(examples.map(async ({ caller, child }) => ({ caller, problem: await child.stop() })))
  return ends.flatMap(({ caller, problem }) => (problem === undefined ? [] : [`${caller.name}: ${problem}`]))
}
