/**
 * Up to 100,000 keys through one source, with room for all and with the default bound: what a key costs in memory, and what a
 * look-up and a whole call cost in time beside those of a source with one key.
 */
import { execFileSync } from 'node:child_process'
import { hash } from 'node:crypto'
import { clientCredentials, clientSecretBasic, createUpstream, memoryTokenCache } from '../packages/core/dist/index.js'
import { round, spread, table, withSpread, type Spread } from './figures.ts'
import { InstantApi, InstantTokenEndpoint } from './instant-server.ts'
import { publish, quick } from './publish.ts'

const most = quick ? 10_000 : 100_000
const tokenBytes = 1000
const contexts = 1000
// The first turns compile.
const [warmUp, turns] = quick ? [5, 10] : [10, 60]

/** What is timed, over a thousand contexts of up to as many keys: each gives nanoseconds for one. */
interface Timed {
  /** `Map.get` alone, of as many keys like ours: what the processor's caches make of many keys, whoever keeps them. */
  readonly mapGet: () => number
  /** A token that is there. */
  readonly peek: () => number
  /** A call over a dispatcher that answers at once, without sockets. */
  readonly call: () => Promise<number>
}

type Kind = keyof Timed

interface Subject extends Timed {
  readonly keys: number
  readonly room: number
  readonly tokenRequests: () => number
  /** Without the token itself; undefined where it is too little to be told from what else the heap does. */
  readonly bytesPerKey: number | undefined
  readonly close: () => Promise<void>
}

function heapUsed(): number {
  globalThis.gc?.()
  globalThis.gc?.()
  return process.memoryUsage().heapUsed
}

function mapOf(keys: number): Map<string, object> {
  return new Map(Array.from({ length: keys }, (_, index) => [hash('sha256', String(index), 'base64url'), { index }]))
}

const elapsed = (began: bigint) => Number(process.hrtime.bigint() - began)
let sink: unknown

async function prepare(keys: number, room: number): Promise<Subject> {
  const endpoint = new InstantTokenEndpoint(tokenBytes)
  const upstream = createUpstream({
    baseUrl: 'https://api.example/v1',
    dispatcher: new InstantApi(),
    oauth: {
      tokenEndpoint: 'https://as.example/token',
      clientId: 'orders',
      clientAuth: clientSecretBasic('s'),
      grant: clientCredentials({ parameters: ({ tenant }) => ({ tenant: tenant ?? '' }) }),
      cache: memoryTokenCache({ maxEntries: room }),
      dispatcher: endpoint,
    },
  })
  const callFor = async ({ request }: Pick<typeof upstream, 'request'>) => (await request('/x')).body.dump()
  const before = heapUsed()
  for (let start = 0; start < keys; start += 500) {
    const count = Math.min(500, keys - start)
    // Each token is sent once: what is made of it for that is part of what it costs.
    await Promise.all(
      Array.from({ length: count }, (_, index) => callFor(upstream.with({ tenant: String(start + index) }))),
    )
  }
  const grown = heapUsed() - before
  // As many contexts whatever the number of keys, since those are not what is measured; at hand, as in requests that make
  // several calls.
  const hot = Array.from({ length: contexts }, (_, index) =>
    Object.freeze({ tenant: String(keys - 1 - (index % keys)) }),
  )
  const bound = hot.map((context) => upstream.with(context))
  const map = mapOf(keys)
  const lastKeys = [...map.keys()].slice(-contexts)
  const hotKeys = Array.from({ length: contexts }, (_, index) => lastKeys[index % lastKeys.length] ?? '')
  const repeats = 20
  return {
    keys,
    room,
    tokenRequests: () => endpoint.requests,
    bytesPerKey: grown > 8 * 1024 * 1024 ? grown / Math.min(keys, room) - tokenBytes : undefined,
    mapGet() {
      const began = process.hrtime.bigint()
      for (let repeat = 0; repeat < repeats; repeat++) for (const key of hotKeys) sink = map.get(key)
      return elapsed(began) / repeats / contexts
    },
    peek() {
      const began = process.hrtime.bigint()
      for (let repeat = 0; repeat < repeats; repeat++) for (const context of hot) sink = upstream.tokens.peek(context)
      return elapsed(began) / repeats / contexts
    },
    async call() {
      const calls = 2000
      const began = process.hrtime.bigint()
      for (let index = 0; index < calls; index++) await callFor(bound[index % contexts] ?? upstream)
      return elapsed(began) / calls
    },
    close: () => upstream.close(),
  }
}

async function main(): Promise<void> {
  const subjects: Subject[] = []
  for (let keys = 1; keys <= most; keys *= 10) subjects.push(await prepare(keys, most))
  subjects.push(await prepare(most, 1000))
  const ns = new Map<Subject, Record<Kind, number[]>>()
  for (const subject of subjects) ns.set(subject, { mapGet: [], peek: [], call: [] })
  // In turns, so that whatever the machine does meets all alike.
  for (let turn = 0; turn < warmUp + turns; turn++) {
    for (const [subject, costs] of ns) {
      const cost = { mapGet: subject.mapGet(), peek: subject.peek(), call: await subject.call() }
      if (turn < warmUp) continue
      for (const kind of Object.keys(cost) as Kind[]) costs[kind].push(cost[kind])
    }
  }
  const [one] = ns.values()
  const rows = [...ns].map(([{ keys, room, tokenRequests, bytesPerKey }, costs]) => {
    /** With what it is beside one key, turn by turn. */
    const timed = (kind: Kind): { readonly ns: Spread; readonly toOneKey: Spread } => ({
      ns: spread(costs[kind]),
      toOneKey: spread(costs[kind].map((value, turn) => value / (one?.[kind][turn] ?? Number.NaN))),
    })
    const requests = tokenRequests()
    return {
      keys,
      room,
      tokenRequests: requests,
      bytesPerKey,
      mapGet: timed('mapGet'),
      peek: timed('peek'),
      call: timed('call'),
    }
  })
  const timedHeads = ['ns per Map.get', 'ns per peek', 'µs per call'].flatMap((head) => [head, '× one key'])
  console.log(
    table([
      ['keys', 'room for', 'token requests', 'bytes per key kept', ...timedHeads],
      ...rows.map(({ keys, room, tokenRequests, bytesPerKey, mapGet, peek, call }) => [
        keys,
        room,
        tokenRequests,
        bytesPerKey === undefined ? '–' : round(bytesPerKey, 0),
        round(mapGet.ns.median, 0),
        round(mapGet.toOneKey.median, 1),
        withSpread(peek.ns, 0),
        round(peek.toOneKey.median, 1),
        round(call.ns.median / 1000, 1),
        withSpread(call.toOneKey),
      ]),
    ]),
  )
  console.log(`\nBytes are those besides the token itself, which has ${tokenBytes}.`)
  publish({ tokenBytes, rows })
  await Promise.all(subjects.map((subject) => subject.close()))
  if (sink === undefined) throw new Error('nothing was measured')
}

if (process.execArgv.includes('--expose-gc')) await main()
else execFileSync(process.execPath, ['--expose-gc', import.meta.filename], { stdio: 'inherit' })
