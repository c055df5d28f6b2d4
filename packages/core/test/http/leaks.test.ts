import { interceptors } from 'undici'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { createAccessToken, type TokenSource } from '../../src/index.ts'
import { generateDpopKey } from '../../src/oauth/dpop-key.ts'
import { createDpopProofs } from '../../src/source/dpop-proofs.ts'
import { entryPoints } from './calls.ts'
import { documented, markdownTable } from '../document-table.ts'
import { place, type Position } from './positions.ts'
import {
  createRedirects,
  metadataAddress,
  type Hop,
  type HostName,
  type Redirects,
  type Sighting,
} from './redirects.ts'
import { fixedSource } from './support.ts'

const sameOrigin: Hop = ({ api }, path) => api + path
const elsewhere: Hop = (hosts, path) => hosts.elsewhere + path

/** Where the API sends its reader, in the words of the table. */
const kinds: Record<string, { from?: HostName; hops: readonly Hop[] }> = {
  'the same origin': { hops: [sameOrigin] },
  'a relative path': { hops: [(_hosts, path) => path] },
  'userinfo at the same origin': { hops: [({ api }, path) => api.replace('//', '//user:secret@') + path] },
  'an origin of `origins`': { hops: [({ files }, path) => files + path] },
  'another host': { hops: [({ api }, path) => api.replace('127.0.0.1', 'localhost') + path] },
  'another port': { hops: [elsewhere] },
  '`//host`': { hops: [(hosts, path) => hosts.elsewhere.replace('http:', '') + path] },
  '`http:` from `https:`': { from: 'secureApi', hops: [elsewhere] },
  '`https:` from `http:`': { hops: [({ secureElsewhere }, path) => secureElsewhere + path] },
  'a private address': { hops: [(_hosts, path) => `http://${metadataAddress}${path}`] },
  "another host, the API's as its userinfo": {
    hops: [({ api, ...hosts }, path) => hosts.elsewhere.replace('//', `//${new URL(api).host}@`) + path],
  },
  'another origin, and back': { hops: [elsewhere, sameOrigin] },
}

interface Way {
  readonly column: string
  readonly position: Position
  readonly redirects: boolean
  readonly entries: readonly (keyof typeof entryPoints)[]
}

const fetch = ['fetch'] as const
const others = ['request', 'dispatcher.request', 'dispatcher.stream'] as const

/** Every position of undici's redirect interceptor with every entry point; those that share a column behave alike. */
const ways: readonly Way[] = [
  { column: 'fetch', position: 'inside', redirects: false, entries: fetch },
  { column: 'fetch', position: 'inside', redirects: true, entries: fetch },
  { column: 'fetch', position: 'bare authorize, inside', redirects: false, entries: fetch },
  { column: 'fetch', position: 'bare authorize, inside', redirects: true, entries: fetch },
  { column: 'fetch', position: 'bare authorize, outside', redirects: true, entries: fetch },
  { column: 'fetch over dispatcher', position: 'outside, dispatcher given', redirects: false, entries: fetch },
  { column: 'fetch over dispatcher', position: 'outside, dispatcher given', redirects: true, entries: fetch },
  { column: 'inside', position: 'inside', redirects: true, entries: others },
  { column: 'inside', position: 'bare authorize, inside', redirects: true, entries: others },
  { column: 'outside of dispatcher', position: 'outside, dispatcher given', redirects: true, entries: others },
  { column: 'outside of authorize', position: 'bare authorize, outside', redirects: true, entries: others },
  { column: 'none', position: 'inside', redirects: false, entries: others },
  { column: 'none', position: 'outside, dispatcher given', redirects: false, entries: others },
  { column: 'none', position: 'bare authorize, inside', redirects: false, entries: others },
]

const columns = {
  fetch: '`fetch`',
  'fetch over dispatcher': '`fetch` over `dispatcher`',
  inside: 'inside',
  'outside of dispatcher': 'outside of `dispatcher`',
  'outside of authorize': 'outside of `authorize`',
  none: 'none',
}

const statuses = [301, 302, 303, 307, 308]

/** A source of a token that is of no use without a proof by its key. */
function boundSource(): TokenSource {
  const fields = { tokenType: 'DPoP', expiresAt: Date.now() + 60_000, generation: 'g' }
  const token = createAccessToken({ value: 'bound-token', ...fields })
  const dpop = createDpopProofs(generateDpopKey(), systemClock)
  return { ...fixedSource(), peek: () => token, get: async () => token, dpop }
}

const carried: Record<string, { headers: Record<string, string>; source: () => TokenSource }> = {
  "the upstream's token": { headers: {}, source: fixedSource },
  "the upstream's token, bound to a key": { headers: {}, source: boundSource },
  "the call's own Authorization": { headers: { authorization: 'Bearer of-the-call' }, source: fixedSource },
}

interface Observation {
  readonly what: string
  readonly carries: string
  readonly column: string
  readonly kind: string
  /** As the table has it. */
  readonly word: string
  readonly seen: readonly Sighting[]
}

let redirects: Redirects
beforeAll(async () => void (redirects = await createRedirects()))
afterAll(() => redirects.close())

let observing: Promise<readonly Observation[]> | undefined
/** Every call of the table, once. */
const observations = () => (observing ??= Promise.all(ways.map(observe)).then((each) => each.flat()))

async function observe({ column, position, redirects: follows, entries }: Way): Promise<Observation[]> {
  const { hosts, agentOptions } = redirects
  const interceptor = follows ? interceptors.redirect({ maxRedirections: 5 }) : undefined
  const origins = [hosts.files, hosts.secureApi]
  const observed: Observation[] = []
  for (const [carries, { headers, source }] of Object.entries(carried)) {
    const way = place(position, { interceptor, source: source(), origin: hosts.api, origins, agentOptions })
    for (const [kind, { from = 'api', hops }] of Object.entries(kinds)) {
      for (const status of statuses) {
        for (const entry of entries) {
          const path = redirects.start(hops, status)
          const init = { method: 'POST', body: 'b', headers } as const
          const answered = await entryPoints[entry]({ ...way, origin: hosts[from] }, path, init).then(
            (answer) => answer.status,
            () => undefined,
          )
          const seen = redirects.seen(path)
          const what = `${carries}, ${status} to ${kind}, by ${entry}, ${follows ? 'redirect' : 'nothing'} ${position}`
          observed.push({ what, carries, column, kind, seen, word: wordFor(answered, seen) })
        }
      }
    }
  }
  return observed
}

function wordFor(status: number | undefined, seen: readonly Sighting[]): string {
  if (status === undefined) return seen.length === 1 ? 'refused' : 'failed'
  if (status !== 200) return 'not followed'
  return seen
    .filter(({ hop }) => hop > 0)
    .map(({ credentials }) => credentials.map((credential) => (isProof(credential) ? 'proof' : credential)).join())
    .map((credentials) => words[credentials] ?? credentials)
    .join(', then ')
}

const words: Record<string, string> = {
  '': 'nothing',
  'Bearer fixed-token': 'token',
  'DPoP bound-token,proof': 'token and proof',
  'Bearer of-the-call': 'its own',
}

const isProof = (credential: string) => credential.split('.').length === 3

// regressions S28, J46
it('no server outside of the allowed origins is shown a credential', async () => {
  const { api, files, secureApi } = redirects.hosts
  const allowed = new Set([api, files, secureApi])
  const leaks = (await observations()).flatMap(({ what, seen }) =>
    seen.filter(({ origin, credentials }) => !allowed.has(origin) && credentials.length > 0).map(() => what),
  )
  expect(leaks).toEqual([])
})

it('every call that is followed reaches the last hop, and no hop is sent twice', async () => {
  const wrong = (await observations()).filter(({ seen, kind, word }) => {
    const hops = word === 'not followed' || word === 'refused' ? 1 : kinds[kind]!.hops.length + 1
    return seen.length !== hops || seen.some(({ hop }, index) => hop !== index)
  })
  expect(wrong).toEqual([])
})

it('SECURITY.md has the table of what each redirect is sent on with', async () => {
  const observed = await observations()
  const tables = Object.keys(carried).map((carries) => {
    const rows = Object.keys(kinds).map((kind) => {
      const cells = Object.keys(columns).map((column) => {
        const here = observed.filter((one) => one.carries === carries && one.kind === kind && one.column === column)
        // Statuses, entry points and positions that share a cell say the same, or all that they say is told.
        return [...new Set(here.map(({ word }) => word))].join(' or ')
      })
      return { kind, cells }
    })
    const alike = Map.groupBy(rows, ({ cells }) => cells.join('|'))
    const merged = [...alike.values()].map((group) => [
      group.map(({ kind }) => kind).join('; '),
      ...(group[0]?.cells ?? []),
    ])
    return `A call with ${carries}, redirected to:\n\n${markdownTable(['', ...Object.values(columns)], merged)}`
  })
  const document = new URL('../../../../SECURITY.md', import.meta.url)
  const { found, expected } = await documented(document, 'leaks', tables.join('\n\n'))
  expect(found).toBe(expected)
})
