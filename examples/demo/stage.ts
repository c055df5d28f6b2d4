import {
  createAuthorizationServer,
  createProtectedApi,
  type AuthorizationServer,
  type ProtectedApi,
} from '@tokenwell/testing'
import { createCallers, scope } from './callers.ts'
import { startExample, stopExamples, type Example } from './start-example.ts'

/** All that runs during the demo. Disposing of it stops everything. */
export interface Stage extends AsyncDisposable {
  readonly server: AuthorizationServer
  readonly api: ProtectedApi
  readonly examples: readonly Example[]
}

/** Starts a real authorization server, an API that it protects, and the examples. */
export async function openStage(): Promise<Stage> {
  const callers = createCallers()
  await using opened = new AsyncDisposableStack()
  // An answer takes a while, so that the first calls of a service wait together for one token.
  const server = opened.use(
    await createAuthorizationServer({ clients: callers.map(({ client }) => client), delayMs: 200 }),
  )
  const api = opened.use(
    await createProtectedApi({ issuer: server.issuer, jwksUri: server.jwksUri, requiredScope: scope }),
  )
  const examples = callers.map((caller) => startExample(caller, server, api))
  opened.defer(async () => void (await stopExamples(examples)))
  const all = opened.move()
  return { server, api, examples, [Symbol.asyncDispose]: () => all.disposeAsync() }
}
