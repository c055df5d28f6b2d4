import type { Upstreams } from '@tokenwell/core'
import { runReadme, startServers } from '@tokenwell/adapter-suite'
import { createRedisServer } from '@tokenwell/testing'
import { expect, it, onTestFinished, vi } from 'vitest'
import { encryptionKey, type NodeRedisLike } from './clients.ts'

it("the README's upstreams share their token through Redis", async () => {
  await using redis = await createRedisServer()
  await using servers = await startServers()
  const { clientId, secret } = servers.authorizationServer.clients.basic
  vi.stubEnv('REDIS_URL', redis.url)
  vi.stubEnv('TOKEN_CACHE_KEY', encryptionKey(1))
  vi.stubEnv('BILLING_SECRET', secret)
  onTestFinished(() => void vi.unstubAllEnvs())
  const replacements = {
    "'@tokenwell/redis'": "'../src/index.ts'",
    'https://billing.example.com': servers.api.url,
    'https://login.example.com': servers.authorizationServer.issuer,
    "'orders'": JSON.stringify(clientId),
  }
  for (let process = 0; process < 2; process++) {
    const names = process === 0 ? 'start' : 'start|events'
    const module = await runReadme(import.meta.url, names, replacements, ['upstreams', 'client'])
    const { upstreams, client } = module as { upstreams: Upstreams<'billing'>; client: NodeRedisLike }
    expect(await (await upstreams.billing.fetch('/invoices/42')).json()).toMatchObject({ clientId })
    await upstreams.close()
    await client.destroy()
  }
  expect(servers.authorizationServer.tokenRequestCount).toBe(1)
})
