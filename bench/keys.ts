/** Up to 100,000 keys through one source: what a key costs in memory, and a call in time, with room for all and with the default bound. */
import { execFileSync } from 'node:child_process'
import {
  clientCredentials,
  clientSecretBasic,
  createTokenSource,
  memoryTokenCache,
} from '../packages/core/dist/index.js'
import { round, spread, table, withSpread, type Spread } from './figures.ts'
import { InstantTokenEndpoint } from './instant-server.ts'
import { publish, quick } from './publish.ts'

const most = quick ? 10_000 : 100_000

interface Row {
  readonly keys: number
  readonly room: number
  readonly tokenRequests: number
  /** Undefined where it is too little to be told from what else the heap does. */
  readonly bytesPerKey: number | undefined
  /** Nanoseconds per `peek` of a key that is there, over up to a thousand of them. */
  readonly peekNs: Spread
  /** The same beside one key of this run. */
  readonly toOneKey?: number
}

function heapUsed(): number {
  globalThis.gc?.()
  globalThis.gc?.()
  return process.memoryUsage().heapUsed
}

async function measure(keys: number, room: number): Promise<Row> {
  const endpoint = new InstantTokenEndpoint()
  const source = createTokenSource({
    tokenEndpoint: 'https://as.example/token',
    clientId: 'orders',
    clientAuth: clientSecretBasic('s'),
    grant: clientCredentials({ parameters: ({ tenant }) => ({ tenant: tenant ?? '' }) }),
    cache: memoryTokenCache({ maxEntries: room }),
    dispatcher: endpoint,
  })
  const before = heapUsed()
  for (let start = 0; start < keys; start += 500) {
    const count = Math.min(500, keys - start)
    await Promise.all(
      Array.from({ length: count }, (_, index) => source.get({ context: { tenant: String(start + index) } })),
    )
  }
  const grown = heapUsed() - before
  // Contexts that are at hand, as in requests that make several calls.
  const hot = Array.from({ length: Math.min(keys, 1000) }, (_, index) =>
    Object.freeze({ tenant: String(keys - 1 - index) }),
  )
  const repeats = Math.ceil(20_000 / hot.length)
  const costs: number[] = []
  for (let turn = 0; turn < 60; turn++) {
    const began = process.hrtime.bigint()
    for (let repeat = 0; repeat < repeats; repeat++) for (const context of hot) source.peek(context)
    // The first turns compile.
    if (turn >= 10) costs.push(Number(process.hrtime.bigint() - began) / repeats / hot.length)
  }
  await source.close()
  return {
    keys,
    room,
    tokenRequests: endpoint.requests,
    bytesPerKey: grown > 1024 * 1024 ? grown / Math.min(keys, room) : undefined,
    peekNs: spread(costs),
  }
}

async function main(): Promise<void> {
  const measured: Row[] = []
  for (let keys = 1; keys <= most; keys *= 10) measured.push(await measure(keys, most))
  measured.push(await measure(most, 1000))
  const one = measured[0]?.peekNs.median ?? Number.NaN
  const rows = measured.map((row) => ({ ...row, toOneKey: row.peekNs.median / one }))
  console.log(
    table([
      ['keys', 'room for', 'token requests', 'bytes per key kept', 'ns per peek', '× one key'],
      ...rows.map((row) => [
        row.keys,
        row.room,
        row.tokenRequests,
        row.bytesPerKey === undefined ? '–' : round(row.bytesPerKey, 0),
        withSpread(row.peekNs, 0),
        round(row.toOneKey, 1),
      ]),
    ]),
  )
  publish({ rows })
}

if (process.execArgv.includes('--expose-gc')) await main()
else execFileSync(process.execPath, ['--expose-gc', import.meta.filename], { stdio: 'inherit' })
