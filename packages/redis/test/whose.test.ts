import { clientSecretBasic, createUpstreams, tokenExchange, type OAuthOptions, type TokenCache } from '@tokenwell/core'
import { createScriptedServer, tokenReply } from '@tokenwell/testing'
import { generateKeyPairSync } from 'node:crypto'
import { createClient } from 'redis'
import { expect, it, onTestFinished } from 'vitest'
import { redisTokenCache } from '../src/index.ts'
import { encryptionKeys, nodeRedis, testRedis } from './clients.ts'
import { sourceAt, tokenEndpoint } from './fleet.ts'

const testRedisOf = testRedis()

/** A Redis, and a cache in it with a connection of its own for each process. */
async function shared() {
  const { url, prefix } = testRedisOf()
  const connected = () => nodeRedis(createClient({ url }))
  const client = await connected()
  const process = async (): Promise<TokenCache> => redisTokenCache(await connected(), { encryptionKeys, prefix })
  const tokens = () => client.keys(`${prefix}:*:tok`)
  const quiet = () => expect.poll(() => client.keys(`${prefix}:*:lock`)).toEqual([])
  const keys = () => client.keys(`${prefix}*`)
  return { process, tokens, quiet, keys, client }
}

// regressions J5
it('tokens bound to a key of the fleet are shared by who has that key, and by nobody else', async () => {
  const { process, tokens, quiet } = await shared()
  const server = await tokenEndpoint(() => tokenReply({ tokenType: 'DPoP' }))
  const [ours, others] = [1, 2].map(() => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey)
  const bound = async (key = ours) => sourceAt(server, { cache: await process(), dpop: { key: key ?? expect.fail() } })
  const token = await (await bound()).get()
  await quiet()
  expect(await (await bound()).get()).toMatchObject({ generation: token.generation, tokenType: 'DPoP' })
  expect(server.requests).toHaveLength(1)
  expect((await (await bound(others)).get()).generation).not.toBe(token.generation)
  await quiet()
  expect(await tokens()).toHaveLength(2)
  server.respondWith(() => tokenReply())
  const plain = await sourceAt(server, { cache: await process() }).get()
  expect(plain.tokenType).toBe('Bearer')
  expect(server.requests).toHaveLength(3)
})

it('a token bound to a key that no other process has goes to Redis neither with it nor without', async () => {
  const { process, keys } = await shared()
  const server = await tokenEndpoint(() => tokenReply({ tokenType: 'DPoP' }))
  const source = sourceAt(server, { cache: await process(), dpop: true })
  const { generation } = await source.get()
  expect((await source.get()).generation).toBe(generation)
  await source.close()
  expect(await keys()).toEqual([])
})

it('two tenants with the same client share nothing; two processes of one tenant do', async () => {
  const { process, tokens, quiet } = await shared()
  const server = await tokenEndpoint()
  const api = await createScriptedServer({ body: {} })
  onTestFinished(() => api.close())
  const upstreamsOf = async () => {
    const cache = await process()
    const oauth = (): OAuthOptions => ({
      tokenEndpoint: `${server.url}/token`,
      clientId: 'orders',
      clientAuth: clientSecretBasic('s3cret'),
      cache,
    })
    const upstreams = createUpstreams({ billing: { baseUrl: api.url, oauth } })
    onTestFinished(() => upstreams.close())
    return upstreams
  }
  for (const upstreams of [await upstreamsOf(), await upstreamsOf()]) {
    for (const tenant of ['acme', 'globex']) await upstreams.with({ tenant }).billing.fetch('/')
    await quiet()
  }
  const [acme, globex, ...again] = api.requests.map(({ headers }) => headers.authorization)
  expect(acme).not.toBe(globex)
  expect(again).toEqual([acme, globex])
  expect(await tokens()).toHaveLength(2)
})

it('each caller’s exchanged token is shared under a key of its own, that tells nothing of the caller', async () => {
  const { process, tokens, quiet, client } = await shared()
  const server = await tokenEndpoint()
  const grant = tokenExchange({
    subjectToken: ({ subjectToken = '' }) => subjectToken,
    subjectTokenType: 'urn:ietf:params:oauth:token-type:access_token',
  })
  const sources = [
    sourceAt(server, { cache: await process(), grant }),
    sourceAt(server, { cache: await process(), grant }),
  ]
  const seen: string[][] = []
  for (const source of sources) {
    const got: string[] = []
    for (const subjectToken of ['token-of-alice', 'token-of-bob']) {
      got.push((await source.get({ context: { subjectToken } })).generation)
    }
    await quiet()
    seen.push(got)
  }
  expect(seen[1]).toEqual(seen[0])
  expect(new Set(seen[0]).size).toBe(2)
  expect(server.requests).toHaveLength(2)
  for (const key of await tokens()) expect(key + JSON.stringify(await client.hGetAll(key))).not.toMatch(/alice|bob/)
})
