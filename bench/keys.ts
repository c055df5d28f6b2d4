/** 100,000 keys through one source: what they cost in memory, with the default bound and with room for all. */
import { execFileSync } from 'node:child_process'
import {
  clientCredentials,
  clientSecretBasic,
  createTokenSource,
  memoryTokenCache,
} from '../packages/core/dist/index.js'
import { percentile, round, table } from './figures.ts'
import { InstantTokenEndpoint } from './instant-server.ts'

const keys = 100_000

function heapUsed(): number {
  globalThis.gc?.()
  globalThis.gc?.()
  return process.memoryUsage().heapUsed
}

async function measure(maxEntries: number): Promise<(string | number)[]> {
  const endpoint = new InstantTokenEndpoint()
  const source = createTokenSource({
    tokenEndpoint: 'https://as.example/token',
    clientId: 'orders',
    clientAuth: clientSecretBasic('s'),
    grant: clientCredentials({ parameters: ({ tenant }) => ({ tenant: tenant ?? '' }) }),
    cache: memoryTokenCache({ maxEntries }),
    dispatcher: endpoint,
  })
  const before = heapUsed()
  for (let start = 0; start < keys; start += 500) {
    await Promise.all(
      Array.from({ length: 500 }, (_, index) => source.get({ context: { tenant: String(start + index) } })),
    )
  }
  const grown = heapUsed() - before
  // A context that is at hand, as in a request that makes several calls.
  const hot = Array.from({ length: 1000 }, (_, index) => Object.freeze({ tenant: String(keys - 1 - index) }))
  for (const context of hot) source.peek(context)
  const costs: number[] = []
  for (let turn = 0; turn < 50; turn++) {
    const began = process.hrtime.bigint()
    for (let repeat = 0; repeat < 20; repeat++) for (const context of hot) source.peek(context)
    costs.push(Number(process.hrtime.bigint() - began) / 20_000)
  }
  await source.close()
  const kept = Math.min(keys, maxEntries)
  return [
    maxEntries,
    endpoint.requests,
    round(grown / 1024 / 1024, 1),
    grown > 1024 * 1024 ? round(grown / kept, 0) : '–',
    round(percentile(costs, 0.5), 0),
  ]
}

if (process.execArgv.includes('--expose-gc')) {
  const rows = [await measure(1000), await measure(keys)]
  console.log(
    table([['bound', 'token requests', 'MiB more', 'bytes per key kept', 'ns per peek']].concat(rows as string[][])),
  )
} else {
  execFileSync(process.execPath, ['--expose-gc', import.meta.filename], { stdio: 'inherit' })
}
