/**
 * `peek()` and `get()` on a fresh token beside a bare `Map.get`, and a token put on a request beside a header that never changes: what
 * the warm path of a token costs.
 */
import { AsyncResource } from 'node:async_hooks'
import type { Dispatcher } from 'undici'
import { authorize, clientSecretBasic, createTokenSource } from '../packages/core/dist/index.js'
import { measuring } from './compare.ts'
import { percentile, round, spread, table, withSpread } from './figures.ts'
import { InstantTokenEndpoint } from './instant-server.ts'
import { publish, quick } from './publish.ts'

const rounds = quick ? 8 : 41
const calls = 200_000

const options = { origin: 'https://api.example', path: '/x', method: 'GET' } as const
const controller = { aborted: false, paused: false, reason: null, abort() {}, pause() {}, resume() {} }

/** Answers within the call: what is left is what stands before it. */
const answer: Dispatcher.Dispatch = (_options, handler) => {
  handler.onRequestStart?.(controller, {})
  handler.onResponseStart?.(controller, 200, {}, 'OK')
  handler.onResponseEnd?.(controller, {})
  return true
}

/** As undici's own are. */
class Handler extends AsyncResource implements Dispatcher.DispatchHandler {
  onRequestStart(): void {}
  onResponseStart(): void {}
  onResponseData(): void {}
  onResponseEnd(): void {}
  onResponseError(): void {}
}

async function main(): Promise<void> {
  const source = createTokenSource({
    tokenEndpoint: 'https://as.example/token',
    clientId: 'orders',
    clientAuth: clientSecretBasic('s'),
    dispatcher: new InstantTokenEndpoint(),
  })
  const token = await source.get()
  const map = new Map([['k', token]])
  const none = {}
  const handler = new Handler('request')
  const headers = { authorization: `Bearer ${token.value}` }
  const fixedHeader: Dispatcher.Dispatch = (call, next) => answer({ ...call, headers }, next)
  const attach = authorize({ source, origins: [options.origin] })(answer)
  let sink: unknown
  const contenders: Record<string, () => void> = {
    'Map.get': () => void (sink = map.get('k')),
    'Map.get + a clock': () => void (sink = Date.now() > 0 ? map.get('k') : undefined),
    'peek()': () => void (sink = source.peek()),
    'get()': () => void (sink = source.get()),
    'get({})': () => void (sink = source.get(none)),
    'Promise.resolve(Map.get)': () => void (sink = Promise.resolve(map.get('k'))),
    dispatch: () => void answer(options, handler),
    'dispatch, fixed header': () => void fixedHeader(options, handler),
    'dispatch, token attached': () => void attach(options, handler),
  }
  const ns = new Map<string, number[]>(Object.keys(contenders).map((name) => [name, []]))
  const bytes = new Map<string, number[]>(Object.keys(contenders).map((name) => [name, []]))
  for (let turn = 0; turn < rounds; turn++) {
    for (const [name, call] of Object.entries(contenders)) {
      const heap = process.memoryUsage().heapUsed
      const began = process.hrtime.bigint()
      for (let index = 0; index < calls; index++) call()
      const took = process.hrtime.bigint() - began
      const grown = process.memoryUsage().heapUsed - heap
      // The first rounds compile.
      if (turn < 5) continue
      ns.get(name)?.push(Number(took) / calls)
      // A collection came between.
      if (grown >= 0) bytes.get(name)?.push(grown / calls)
    }
  }
  const median = (of: Map<string, number[]>, name: string) => percentile(of.get(name) ?? [], 0.5)
  const base = ns.get('Map.get') ?? []
  const rows = Object.keys(contenders).map((name) => {
    const all = ns.get(name) ?? []
    const toMapGet = all.map((value, index) => value / (base[index] ?? Number.NaN))
    return { name, ns: spread(all), toMapGet: spread(toMapGet), bytes: Math.max(0, median(bytes, name)) }
  })
  const lines = rows.map((row) => [row.name, withSpread(row.ns, 1), withSpread(row.toMapGet, 1), round(row.bytes, 0)])
  console.log(table([['call', 'ns', '× Map.get', 'bytes allocated'], ...lines]))
  publish({ rows })
  if (sink === undefined) throw new Error('nothing was measured')
  await source.close()
}

await measuring(import.meta.filename, main)
