import { clientSecretBasic, createTokenSource, type Clock, type OAuthOptions, type TokenSource } from '@tokenwell/core'
import { createScriptedServer, tokenReply, type Reply, type ScriptedServer } from '@tokenwell/testing'
import { createClient } from 'redis'
import { onTestFinished, vi } from 'vitest'
import { redisTokenCache, type RedisTokenCacheOptions } from '../src/index.ts'
import { encryptionKeys, nodeRedis, type TestRedis } from './clients.ts'

/** A token endpoint that does as it is told, closed when the test is over. */
export async function tokenEndpoint(reply: Reply = () => tokenReply()): Promise<ScriptedServer> {
  const server = await createScriptedServer(reply)
  onTestFinished(() => server.close())
  return server
}

/** What one process of a fleet has: a token source with a cache and a connection of its own. */
export interface Member {
  readonly source: TokenSource
  readonly client: Awaited<ReturnType<typeof connectTo>>
}

const connectTo = (url: string) =>
  // A client that tries again soon, so that a test need not wait for it.
  nodeRedis(createClient({ url, socket: { reconnectStrategy: 20 } }))

export interface MemberOptions extends Partial<OAuthOptions> {
  readonly redis?: RedisTokenCacheOptions
}

/** Joins the fleet that asks this token endpoint and shares this Redis. */
export async function join(
  server: ScriptedServer,
  { url, prefix }: Pick<TestRedis, 'url'> & Partial<TestRedis>,
  options: MemberOptions = {},
): Promise<Member> {
  const { redis = { encryptionKeys }, ...oauth } = options
  const client = await connectTo(url)
  return { source: sourceAt(server, { cache: redisTokenCache(client, { prefix, ...redis }), ...oauth }), client }
}

/** A token source, closed when the test is over. */
export function sourceAt(server: ScriptedServer, options: Partial<OAuthOptions>): TokenSource {
  const source = createTokenSource({
    tokenEndpoint: `${server.url}/token`,
    clientId: 'orders',
    clientAuth: clientSecretBasic('s3cret'),
    ...options,
  })
  onTestFinished(() => source.close())
  return source
}

/** Until the test is over, the monotonic clock of this process goes on when it is told, too: which ends pauses. */
export function skippedTime(): (ms: number) => void {
  let ahead = 0
  const now = performance.now.bind(performance)
  const spy = vi.spyOn(performance, 'now').mockImplementation(() => now() + ahead)
  onTestFinished(() => spy.mockRestore())
  return (ms) => void (ahead += ms)
}

/** A clock that is wrong by so much. */
export function clockOff(byMs: number): Clock {
  return {
    now: () => Date.now() + byMs,
    monotonic: () => performance.now(),
    setTimer(callback, delayMs, options) {
      const timer = setTimeout(callback, delayMs)
      if (options?.unref === true) timer.unref()
      return () => clearTimeout(timer)
    },
  }
}
