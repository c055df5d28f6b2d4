/** What signatures cost: assertions and proofs beside bare jose, and a call whose token is bound to a key beside one with Bearer. */
import { generateKeyPairSync, randomUUID, type KeyObject } from 'node:crypto'
import { SignJWT } from 'jose'
import type { Dispatcher } from 'undici'
import { clientSecretBasic, createUpstream, privateKeyJwt } from '../packages/core/dist/index.js'
import { readDpopKey } from '../packages/core/dist/oauth/dpop-key.js'
import { dpopProof } from '../packages/core/dist/oauth/dpop-proof.js'
import { percentile, round, table } from './figures.ts'
import { startServers } from './servers.ts'

const rounds = 25

const keys: Record<string, KeyObject> = {
  ES256: generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey,
  RS256: generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey,
  EdDSA: generateKeyPairSync('ed25519').privateKey,
}
const server = { issuer: 'https://as.example', token_endpoint: 'https://as.example/token' }

/** Microseconds per call of each, by rounds that take turns. */
async function timed(
  contenders: Record<string, () => Promise<unknown>>,
  calls: number,
): Promise<Map<string, number[]>> {
  const us = new Map<string, number[]>(Object.keys(contenders).map((name) => [name, []]))
  const names = Object.keys(contenders)
  for (let turn = 0; turn < rounds; turn++) {
    for (let index = 0; index < names.length; index++) {
      const name = names[(index + turn) % names.length] ?? ''
      const start = process.hrtime.bigint()
      for (let call = 0; call < calls; call++) await contenders[name]?.()
      // The first rounds compile.
      if (turn >= 5) us.get(name)?.push(Number(process.hrtime.bigint() - start) / 1000 / calls)
    }
  }
  return us
}

const median = (values: readonly number[] | undefined) => percentile(values ?? [], 0.5)

async function signatures(): Promise<void> {
  const rows: (readonly (string | number)[])[] = []
  for (const [algorithm, key] of Object.entries(keys)) {
    const dpop = readDpopKey(key, algorithm, 'key')
    const authenticate = privateKeyJwt(key, { algorithm })
    const us = await timed(
      {
        jose: async () => {
          const now = Math.floor(Date.now() / 1000)
          const claims = {
            iss: 'orders',
            sub: 'orders',
            aud: server.issuer,
            jti: randomUUID(),
            iat: now,
            exp: now + 60,
          }
          return new SignJWT(claims).setProtectedHeader({ alg: algorithm }).sign(key)
        },
        privateKeyJwt: async () => authenticate(server, { client_id: 'orders' }, new URLSearchParams(), new Headers()),
        proof: () =>
          dpopProof(dpop, {
            method: 'GET',
            url: 'https://api.example/v1/x?y=1',
            accessToken: 'x'.repeat(1000),
            nonce: 'nonce',
            issuedAt: Math.floor(Date.now() / 1000),
          }),
      },
      40,
    )
    const bare = us.get('jose') ?? []
    for (const [name, values] of us) {
      const ratio = percentile(
        values.map((value, index) => value / (bare[index] ?? Number.NaN)),
        0.5,
      )
      rows.push([algorithm, name, round(1e6 / median(values), 0), round(ratio)])
    }
  }
  console.log(table([['algorithm', 'what', 'per second', '× jose'], ...rows]))
}

async function boundCalls(): Promise<void> {
  const servers = await startServers()
  const oauth = { tokenEndpoint: servers.tokenEndpoint, clientId: 'orders', clientAuth: clientSecretBasic('secret') }
  const bearer = createUpstream({ baseUrl: servers.apiUrl, oauth })
  const bound = createUpstream({ baseUrl: servers.apiUrl, oauth: { ...oauth, dpop: true } })
  const proving = bound.tokens.dpop
  const token = await bound.tokens.get()
  const dump = async ({ statusCode, body }: Dispatcher.ResponseData) => {
    if (statusCode !== 200) throw new Error(`status ${statusCode}`)
    return body.dump()
  }
  const us = await timed(
    {
      bearer: async () => dump(await bearer.request('/x')),
      bound: async () => dump(await bound.request('/x')),
      'its proof alone': async () => proving?.prove({ method: 'GET', origin: servers.apiUrl, path: '/x', token }),
    },
    100,
  )
  const more = median(us.get('bound')) - median(us.get('bearer'))
  console.log(table([['call', 'µs'], ...[...us].map(([name, values]) => [name, round(median(values), 0)])]))
  console.log(
    `A bound call takes ${round(median(us.get('bound')) / median(us.get('bearer')))} × as long as one with Bearer; its`,
  )
  console.log(`signature is ${round((100 * median(us.get('its proof alone'))) / more, 0)} % of what it takes more.`)
  await Promise.all([bearer.close(), bound.close()])
  servers.stop()
}

await signatures()
await boundCalls()
