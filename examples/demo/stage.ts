import {
  createAuthorizationServer,
  createProtectedApi,
  type AuthorizationServer,
  type ProtectedApi,
} from '@tokenwell/testing'
import { createCallers } from './callers.ts'
import { startExample, stopExamples, type Example } from './start-example.ts'
import { logIn, scopes, type User } from './users.ts'

/** All that runs during the demo. Disposing of it stops everything. */
export interface Stage extends AsyncDisposable {
  readonly server: AuthorizationServer
  readonly api: ProtectedApi
  readonly users: readonly User[]
  readonly examples: readonly Example[]
}

/** Starts a real authorization server, an API that it protects, and the examples. */
export async function openStage(): Promise<Stage> {
  const callers = createCallers()
  const audience = 'https://api.example.com'
  await using opened = new AsyncDisposableStack()
  // An answer takes a while, so that the first calls of a service wait together for one token.
  const server = opened.use(
    await createAuthorizationServer({ clients: callers.map(({ client }) => client), audience, delayMs: 200 }),
  )
  const { issuer, jwksUri } = server
  const requiredScope = (path: string) => (path === '/v1/profile' ? scopes.profile : scopes.orders)
  const api = opened.use(await createProtectedApi({ issuer, jwksUri, audience, requiredScope }))
  const users = await logIn(server)
  const examples = callers.map((caller) => startExample(caller, server, api))
  opened.defer(async () => void (await stopExamples(examples)))
  const all = opened.move()
  return { server, api, users, examples, [Symbol.asyncDispose]: () => all.disposeAsync() }
}
