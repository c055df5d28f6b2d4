import { setTimeout } from 'node:timers/promises'
import {
  createManualClock,
  createScriptedServer,
  type ManualClock,
  type Reply,
  type ScriptedServer,
  tokenReply,
} from '@tokenwell/testing'
import { onTestFinished } from 'vitest'
import { clientSecretBasic, createTokenSource, type OAuthOptions, type TokenSource } from '../src/index.ts'

/** A token endpoint that does as it is told, closed when the test is over. Default: a new token for each request. */
export async function tokenEndpoint(reply: Reply = () => tokenReply()): Promise<ScriptedServer> {
  const server = await createScriptedServer(reply)
  onTestFinished(() => server.close())
  return server
}

export interface SourceAtEndpoint {
  readonly server: ScriptedServer
  readonly clock: ManualClock
  readonly source: TokenSource
}

/** A token source of a scripted token endpoint, on a clock that the test moves. */
export async function sourceAtEndpoint(reply?: Reply, options: Partial<OAuthOptions> = {}): Promise<SourceAtEndpoint> {
  const server = await tokenEndpoint(reply)
  const clock = createManualClock()
  const source = createTokenSource({
    tokenEndpoint: `${server.url}/token`,
    clientId: 'orders',
    clientAuth: clientSecretBasic('s3cret'),
    clock,
    ...options,
  })
  onTestFinished(() => source.close())
  return { server, clock, source }
}

/** What a promise rejected with; fails the test if it did not. */
export async function rejection<T>(promise: Promise<T>): Promise<Error> {
  try {
    await promise
  } catch (error) {
    return error as Error
  }
  throw new Error('it did not reject')
}

/**
 * Moves the clock on, in steps that leave real sockets time to answer, until the promise has settled: for pauses
 * between attempts, which wait for the clock.
 */
export async function driven<T>(clock: ManualClock, promise: Promise<T>): Promise<T> {
  const wait = { pending: true }
  const done = () => void (wait.pending = false)
  promise.then(done, done)
  while (wait.pending) {
    await setTimeout(2)
    if (wait.pending) await clock.advance(50)
  }
  return promise
}
