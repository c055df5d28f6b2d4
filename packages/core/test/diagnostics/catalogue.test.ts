import { generateKeyPairSync } from 'node:crypto'
import { Readable } from 'node:stream'
import { inspect } from 'node:util'
import { tokenReply } from '@tokenwell/testing'
import { expect, it } from 'vitest'
import { tracedLeaseWait } from '../../src/diagnostics/cache-events.ts'
import {
  clientSecretPost,
  createTokenSource,
  createUpstreams,
  privateKeyJwt,
  type CachedToken,
  type TokenCache,
  type TokenwellChannels,
} from '../../src/index.ts'
import { documented, markdownTable } from '../document-table.ts'
import { scripted } from '../http/support.ts'
import { rejection } from '../support.ts'
import { Listening, plainChannels, tracingChannels } from './listening.ts'

/** Every channel and every member of its payload. Whoever adds one adds it here, to the README, and to a changeset. */
const catalogue: {
  readonly [Name in keyof TokenwellChannels]: readonly [
    what: string,
    members: Readonly<Record<keyof TokenwellChannels[Name], string>>,
  ]
} = {
  'tokenwell:token.hit': [
    'a token at hand was given, without waiting',
    {
      upstream: 'its name',
      result: '`hit_l1`, or `stale`: usable, and its renewal is due',
      durationMs: 'how long it took to find',
      remainingMs: "what is left of the token's life",
    },
  ],
  'tokenwell:token.acquire': [
    'a call without a token at hand waits for one',
    {
      upstream: 'its name',
      result:
        'at the end: `miss` (asked for by this call), `coalesced` (by another one at the same time), `hit_l2` (from the shared cache), `stale` (none could be had, and the one at hand is good enough), `negative` (the same failed a moment ago)',
      remainingMs: "at the end: what is left of the token's life",
      errorType: 'at the end, if it failed',
      renewal: 'the event of the renewal that it waits for, the same object',
    },
  ],
  'tokenwell:token.renewal': [
    'another token, for all who wait for it; runs outside of every call',
    {
      upstream: 'its name',
      reason: '`initial`, `stale`, `expired`, `rejected` (by the API), `forced`',
      origin:
        'at the end: `server`, `l2` (the shared cache), or `none` (the token at hand stays: another process asks, or the server wants a pause)',
      errorType: 'at the end, if it failed',
      around:
        'a subscriber of `start` may put a function here that runs the work, for instance in a context of its own',
    },
  ],
  'tokenwell:token.request': [
    'one request to the token endpoint',
    {
      upstream: 'its name',
      grantType: 'the `grant_type`',
      serverAddress: 'host of the token endpoint',
      serverPort: 'its port',
      statusCode: 'at the end: that of the answer',
      errorType: 'at the end, if it failed',
    },
  ],
  'tokenwell:cache.operation': [
    'one operation of a shared token cache',
    {
      upstream: 'its name',
      tier: '`l2`',
      operation: '`get`, `set`, `delete`, and of leases `acquire`, `fence`, `release`, `pause`',
      outcome: 'at the end: `hit`, `miss`, `ok`, `timeout`, `error`',
    },
  ],
  'tokenwell:cache.entries': [
    "a memory cache's number of tokens changed",
    { tier: '`l1`', entries: 'how many there are now', cache: 'which cache: an empty object that lives as long' },
  ],
  'tokenwell:lease.wait': [
    'a process waits for its turn to ask for a token that others share',
    {
      upstream: 'its name',
      outcome: 'at the end: `acquired`, `found` (another one left a token), `busy`, `paused`, `unleased`',
    },
  ],
  'tokenwell:upstream.refused': [
    'the API answered 401 or 403 to our token',
    {
      upstream: 'its name',
      statusCode: '401 or 403',
      challenge: 'the error of the challenge, such as `insufficient_scope`; `_OTHER` if no RFC knows it',
      scope: 'the scope that the challenge asks for',
    },
  ],
  'tokenwell:upstream.replay': [
    'a refused request was sent again, or why not',
    {
      upstream: 'its name',
      reason: '`token`, or `nonce`: the proof needs one',
      outcome: '`sent`, `skipped_body`, `skipped_policy`, `skipped_budget`, `skipped_token`: there is no other token',
      errorType: 'why there is none, if its renewal failed',
    },
  ],
}

const secrets = {
  secret: 's3cret-of-the-client-Kq7',
  token: 'acc3ss-t0ken-Kq7',
  query: 'query-Kq7',
  description: 'the words of a server Kq7',
  subject: 'the-token-of-a-caller-Kq7',
  tenant: 'tenant-Kq7',
}

/** Makes everything happen that is told of. */
async function everything(): Promise<void> {
  let serverFails = false
  const server = await scripted(({ text }, index) =>
    serverFails
      ? { status: 400, body: { error: 'invalid_grant', error_description: `${secrets.description} ${text}` } }
      : tokenReply({ accessToken: `${secrets.token}-${index}`, expiresIn: 3600 }),
  )
  let refusals = 0
  const api = await scripted(({ path, headers }) => {
    const challenge = `Bearer error="${path.includes('403') ? 'insufficient_scope' : 'invalid_token'}", error_description="${secrets.description}", scope="invoices:write ${headers.authorization?.split(' ')[1] ?? ''}"`
    if (path.includes('403')) return { status: 403, headers: { 'www-authenticate': challenge } }
    if (!path.includes('401') || refusals-- <= 0) return { body: 'fine' }
    return { status: 401, headers: { 'www-authenticate': challenge } }
  })
  const shared = new Map<string, CachedToken>()
  const cache: TokenCache = {
    get: (key) => shared.get(key),
    set: (key, entry) => void shared.set(key, entry),
    delete: (key) => shared.delete(key),
  }
  const oauth = {
    tokenEndpoint: `${server.url}/token?${secrets.query}`,
    clientId: 'orders',
    clientAuth: clientSecretPost(secrets.secret),
  }
  const upstreams = createUpstreams(
    { billing: { oauth: { ...oauth, cache }, baseUrl: api.url }, other: { oauth, baseUrl: api.url } },
    {},
  )
  const context = { subjectToken: secrets.subject, tenant: secrets.tenant }
  const { billing } = upstreams.with(context)
  const call = async (path: string, init?: RequestInit) =>
    (await billing.fetch(`${path}?${secrets.query}`, init)).text()
  await Promise.all([call('/a'), call('/b')])
  await call('/403')
  for (const body of [undefined, Readable.toWeb(Readable.from(['x'])) as ReadableStream]) {
    refusals = 1
    await call('/401', body === undefined ? {} : { method: 'POST', body, duplex: 'half' })
  }
  serverFails = true
  await rejection(upstreams.other.fetch('/'))
  await rejection(upstreams.other.fetch('/'))
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const clientAuth = privateKeyJwt(privateKey.export({ type: 'pkcs8', format: 'pem' }), { audience: 'token-endpoint' })
  const signing = createTokenSource({ tokenEndpoint: server.url, clientId: 'orders', clientAuth })
  await rejection(signing.get())
  await tracedLeaseWait(
    'billing',
    async () => true,
    () => 'acquired',
  )
  await Promise.all([upstreams.close(), signing.close()])
}

// regressions S46
it('publishes on these channels, with these members and no others', async () => {
  const listening = new Listening()
  await everything()
  const found = Object.fromEntries(
    Object.keys(catalogue).map((name) => {
      const events = listening.told.filter(({ channel }) => channel === name)
      return [name, [...new Set(events.map(({ seen }) => Object.keys(seen).toSorted().join(' ')))]]
    }),
  )
  expect(found).toEqual(
    Object.fromEntries(
      Object.entries(catalogue).map(([name, [, members]]) => [name, [Object.keys(members).toSorted().join(' ')]]),
    ),
  )
  expect([...plainChannels, ...tracingChannels].toSorted()).toEqual(Object.keys(catalogue).toSorted())
})

// regressions S42, S46, J60
it('no payload has a token, a secret, an assertion, a key, a query or the words of a server', async () => {
  const listening = new Listening()
  await everything()
  const all = listening.told
    .flatMap(({ event, seen }) => [event, seen].map((one) => inspect(one, { depth: 10, showHidden: true })))
    .join('\n')
  expect(all).toContain('insufficient_scope')
  expect(all).toContain('invoices:write [redacted]')
  for (const value of Object.values(secrets)) expect(all).not.toContain(value)
  expect(all).not.toMatch(/eyJ|[\w-]{40,}|Error:|[?&]/)
})

it('the README has the catalogue', async () => {
  const rows = Object.entries(catalogue).flatMap(([name, [what, members]]) => [
    [`\`${name}\``, plainChannels.some((plain) => plain === name) ? '' : 'yes', what],
    ...Object.entries(members).map(([member, meaning]) => ['', '', `\`${member}\`: ${meaning}`]),
  ])
  const { found, expected } = await documented(
    new URL('../../README.md', import.meta.url),
    'channels',
    markdownTable(['channel', 'tracing', 'what, and the members of its payload'], rows),
  )
  expect(found).toBe(expected)
})
