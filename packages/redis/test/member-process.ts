/**
 * A process of a fleet: gets a token when it is told `get`, and says how that went. With `holdWrites`, it says `writing`
 * before it writes to Redis, waits for `write`, and says what Redis had instead.
 */
import { createClient } from 'redis'
import { clientSecretBasic, createTokenSource, type TokenCache } from '@tokenwell/core'
import { redisTokenCache } from '@tokenwell/redis'

const { redisUrl, tokenEndpoint, timeoutMs, holdWrites } = JSON.parse(process.env['TOKENWELL_MEMBER'] ?? '') as {
  redisUrl: string
  tokenEndpoint: string
  timeoutMs: number
  holdWrites: boolean
}
const client = createClient({ url: redisUrl })
client.on('error', () => undefined)
await client.connect()
const redis = redisTokenCache(client, { encryptionKeys: [Buffer.alloc(32, 1)] })
const holding: TokenCache = {
  get: (key) => redis.get(key),
  delete: (key, generation) => redis.delete(key, generation),
  leases: redis.leases,
  async set(key, entry, write) {
    process.send?.('writing')
    await new Promise((resolve) => void process.once('message', resolve))
    const instead = await redis.set(key, entry, write)
    process.send?.({ instead: instead?.token.value })
    return instead
  },
}
const cache = holdWrites ? holding : redis
const clientAuth = clientSecretBasic('s3cret')
const source = createTokenSource({ tokenEndpoint, clientId: 'orders', clientAuth, cache, timeoutMs })
process.on('message', (message) => {
  if (message !== 'get') return
  source.get().then(
    ({ value, generation }) => process.send?.({ value, generation }),
    (error: Error) => process.send?.({ error: error.message }),
  )
})
process.on('disconnect', () => process.exit())
process.send?.('ready')
