import { gzipSync } from 'node:zlib'
import { interceptors, type Dispatcher } from 'undici'
import { describe, expect, it } from 'vitest'
import { codeOf, entryPoints, type Way } from './calls.ts'
import { place, positions, type Position } from './positions.ts'
import { authorizationsOf, createRealm, refusal, warmSource, type Realm } from './support.ts'

/** What a call comes to: its status or the code of its error, and the tokens of each time that it was sent. */
interface Outcome {
  readonly outcome: number | string
  readonly sent: readonly (readonly string[])[]
}

const first = ['Bearer token-0']
const second = ['Bearer token-1']
const authorized: Outcome = { outcome: 200, sent: [first] }
const replayed: Outcome = { outcome: 200, sent: [first, second] }
const unauthorized: Outcome = { outcome: 200, sent: [[]] }
const neverSent: Outcome = { outcome: 'ERR_TOKENWELL_ORIGIN', sent: [] }

const everywhere = (outcome: Outcome): Record<Position, Outcome> => ({
  inside: outcome,
  outside: outcome,
  'outside, dispatcher given': outcome,
  'bare authorize, inside': outcome,
  'bare authorize, outside': outcome,
})

interface Row {
  readonly make: () => Dispatcher.DispatcherComposeInterceptor
  /** A call with a good token. */
  readonly good: Record<Position, Outcome>
  /** A call whose first token the API refuses. */
  readonly refused: Record<Position, Outcome>
  /** What the API is called. Default: by its address. */
  readonly host?: string
}

const works = { good: everywhere(authorized), refused: everywhere(replayed) }

// Outside of ours it has replaced the name by an address, which is not among the origins.
const byAddress: Record<Position, Outcome> = {
  ...everywhere(neverSent),
  inside: authorized,
  'bare authorize, inside': authorized,
  'bare authorize, outside': unauthorized,
}

// Inside of ours the 401 is an exception already, and nobody is left to see a refused token.
const thrown: Outcome = { outcome: 'UND_ERR_RESPONSE', sent: [first] }

const toLoopback: NonNullable<Parameters<typeof interceptors.dns>[0]>['lookup'] = (_origin, _options, found) =>
  found(null, [{ address: '127.0.0.1', ttl: 60_000, family: 4 }])

// regressions J46, J51
const rows: Record<string, Row> = {
  'none but ours': { make: () => (dispatch) => (options, handler) => dispatch(options, handler), ...works },
  cache: { make: () => interceptors.cache(), ...works },
  deduplicate: { make: () => interceptors.deduplicate(), ...works },
  retry: { make: () => interceptors.retry({ minTimeout: 1 }), ...works },
  redirect: { make: () => interceptors.redirect({ maxRedirections: 3 }), ...works },
  decompress: { make: () => interceptors.decompress(), ...works },
  'decompress, of errors too': { make: () => interceptors.decompress({ skipErrorResponses: false }), ...works },
  dump: { make: () => interceptors.dump(), ...works },
  responseError: {
    make: () => interceptors.responseError(),
    ...works,
    refused: { ...works.refused, inside: thrown, 'bare authorize, inside': thrown },
  },
  dns: {
    make: () => interceptors.dns({ lookup: toLoopback }),
    host: 'api.localhost',
    good: byAddress,
    refused: { ...byAddress, inside: replayed, 'bare authorize, inside': replayed },
  },
}

const compressed = (body: object) => ({ headers: { 'content-encoding': 'gzip' }, body: gzipSync(JSON.stringify(body)) })
const compressedRefusal = {
  ...refusal,
  ...compressed({ refused: true }),
  headers: { ...refusal.headers, 'content-encoding': 'gzip' },
}

async function outcomeOf(realm: Realm, call: () => Promise<{ status: number }>): Promise<Outcome> {
  const before = realm.api.requests.length
  const outcome = await call().then(({ status }) => status, codeOf)
  return { outcome, sent: realm.api.requests.slice(before).map(authorizationsOf) }
}

const cells = Object.entries(rows).flatMap(([name, row]) =>
  positions.map((position) => ({ name, position, row, good: row.good[position], refused: row.refused[position] })),
)

describe.each(cells)('$name, $position', ({ row, position, good, refused }) => {
  async function start(): Promise<{ realm: Realm; way: Way }> {
    const realm = await createRealm(compressed({ ok: true }), compressedRefusal)
    const source = await warmSource(realm)
    const origin = realm.api.url.replace('127.0.0.1', row.host ?? '127.0.0.1')
    return { realm, way: place(position, { interceptor: row.make(), source, origin }) }
  }

  it(`a call ends with ${good.outcome}, sent with ${JSON.stringify(good.sent)}`, async () => {
    const { realm, way } = await start()
    for (const [entry, call] of Object.entries(entryPoints)) {
      expect({ entry, ...(await outcomeOf(realm, () => call(way, '/x'))) }).toEqual({ entry, ...good })
    }
  })

  it(`a refused token ends with ${refused.outcome}, sent with ${JSON.stringify(refused.sent)}`, async () => {
    for (const [entry, call] of Object.entries(entryPoints)) {
      // Its body is a stream, which is never sent again.
      if (entry === 'dispatcher.pipeline') continue
      const { realm, way } = await start()
      realm.revoked.add('token-0')
      expect({ entry, ...(await outcomeOf(realm, () => call(way, '/x'))) }).toEqual({ entry, ...refused })
    }
  })
})
