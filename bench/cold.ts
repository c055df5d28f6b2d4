/** First callers, all at once: how many token requests they make. */
import { clientCredentials, clientSecretBasic, createTokenSource } from '../packages/core/dist/index.js'
import { round, table } from './figures.ts'
import { startServers } from './servers.ts'

const servers = await startServers({ delayMs: 50 })
const rows: (string | number)[][] = [['callers', 'keys', 'token requests', 'ms until all had one']]
for (const [callers, keys] of [
  [10_000, 1],
  [10_000, 100],
] as const) {
  const source = createTokenSource({
    tokenEndpoint: servers.tokenEndpoint,
    clientId: 'cold',
    clientAuth: clientSecretBasic('s'),
    grant: clientCredentials({ parameters: ({ tenant }) => ({ tenant: tenant ?? '' }) }),
  })
  const began = performance.now()
  const tokens = await Promise.all(
    Array.from({ length: callers }, (_, index) => source.get({ context: { tenant: String(index % keys) } })),
  )
  const took = performance.now() - began
  if (new Set(tokens).size !== keys) throw new Error('a token was handed to another key')
  rows.push([callers, keys, (await servers.counts())['cold'] ?? 0, round(took, 0)])
  await source.close()
}
console.log(table(rows))
servers.stop()
