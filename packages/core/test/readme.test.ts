import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { createAuthorizationServer, createOracleIdentityDomain, createProtectedApi } from '@tokenwell/testing'
import { exportPKCS8, SignJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { clientSecretBasic, createTokenSource } from '../src/index.ts'
import { createAuthority } from './client-auth/certificates.ts'
import { mutualTlsServer, type MutualTlsServer } from './client-auth/mutual-tls-server.ts'

const packageFolder = join(import.meta.dirname, '..')
const secret = 'p:a%s s+w/-._~'

let folder: string
let blocks: string[]
let server: Awaited<ReturnType<typeof createAuthorizationServer>>
let api: Awaited<ReturnType<typeof createProtectedApi>>
let payments: typeof api
let mutualTls: MutualTlsServer
let domain: Awaited<ReturnType<typeof createOracleIdentityDomain>>

beforeAll(async () => {
  server = await createAuthorizationServer({
    clients: [
      { clientId: 'orders', method: 'client_secret_basic', secret },
      { clientId: 'orders-acme', method: 'client_secret_basic', secret },
      { clientId: 'orders-globex', method: 'client_secret_basic', secret },
      { clientId: 'orders-bound', method: 'client_secret_basic', secret, dpopBoundTokens: true },
    ],
  })
  api = await createProtectedApi({ issuer: server.issuer, jwksUri: server.jwksUri, requiredScope: 'invoices:read' })
  payments = await createProtectedApi({ issuer: server.issuer, jwksUri: server.jwksUri, dpopNonces: 'required' })
  const authority = await createAuthority()
  const { cert, key } = await authority.issue({ commonName: 'orders' })
  mutualTls = await mutualTlsServer(authority)
  domain = await createOracleIdentityDomain()
  // Inside the package, so that its own name leads to what its users would load.
  folder = await mkdtemp(join(packageFolder, 'dist/.readme-'))
  for (const [name, text] of Object.entries({ 'tls.crt': cert, 'tls.key': key, 'ca.crt': authority.ca })) {
    await writeFile(join(folder, name), text)
  }
  await writeFile(join(folder, 'your-own.ts'), yourOwn)
  const readme = await readFile(join(packageFolder, 'README.md'), 'utf8')
  blocks = [...readme.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code = '']) => code)
})
afterAll(async () => {
  await Promise.all([
    rm(folder, { recursive: true, force: true }),
    server.close(),
    api.close(),
    payments.close(),
    mutualTls.close(),
    domain.close(),
  ])
})

/** What the README leaves to its reader. */
const yourOwn = `
export const kms = {}
export const vault = {
  assertionFor: async (name) => process.env['ASSERTION_FOR_' + name],
  read: async (name) => process.env['SECRET_OF_' + name],
}
export const inbound = { token: process.env.INBOUND_TOKEN }
export const callback = { code: process.env.CODE }
export const store = { read: () => process.env.REFRESH_TOKEN, write: (...args) => console.log('stored', args.length) }
`

/** Runs the block that has this text, and `after` it, with the real servers in place of the examples, and gives what it prints. */
async function run(text: string, more: Record<string, string> = {}, after = ''): Promise<string> {
  const code = blocks.filter((block) => block.includes(text))
  expect(code).toHaveLength(1)
  const real = (code[0] ?? '')
    .replaceAll('https://login.example.com', server.issuer)
    .replaceAll('https://mtls.example.com', mutualTls.url)
    .replaceAll('https://billing.example.com', api.url)
    .replaceAll('https://payments.example.com', payments.url)
    .replaceAll('/run/tls', folder)
    .replaceAll('orders-key-1', server.clients.privateKeyJwt.kid)
    .replaceAll('orders-key', server.clients.privateKeyJwt.clientId)
    .replaceAll('https://idcs-0123.identity.oraclecloud.com', domain.url)
    .replaceAll('your-application', domain.applications.confidential.clientId)
  const file = join(folder, `${crypto.randomUUID()}.ts`)
  await writeFile(file, real + after)
  const env = {
    ...process.env,
    BILLING_SECRET: secret,
    PAYMENTS_SECRET: secret,
    SIGNING_KEY: server.clients.privateKeyJwt.privateKeyPem,
    ...more,
  }
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [file], { env })
  expect(stderr).toBe('')
  return stdout
}

describe("the README's code runs as it stands", () => {
  it('every block is run below', () => {
    expect(blocks).toHaveLength(15)
  })

  it('createUpstreams', async () => {
    const printed = await run('console.log(response.status, await response.json())\nawait upstreams')
    expect(printed).toMatch(/^200 \{/)
    expect(printed).toContain("clientId: 'orders'")
    expect(printed).toContain("path: '/v1/invoices/42'")
  })

  it('every way of client authentication', async () => {
    expect(await run('everyWay')).toBe(
      'client_secret_basic client_secret_post client_secret_jwt private_key_jwt private_key_jwt private_key_jwt ' +
        'spiffe_jwt private_key_jwt tls_client_auth none\n',
    )
  })

  it('tlsClientAuth', async () => {
    expect(await run('https://mtls.example.com')).toBe('Bearer true\n')
  })

  it('dpop', async () => {
    expect(await run('https://payments.example.com')).toBe('200\n')
    expect(payments.requests.map(({ tokenType, status }) => [tokenType, status])).toEqual([
      ['DPoP', 401],
      ['DPoP', 200],
    ])
  })

  it('createTokenSource with privateKeyJwt', async () => {
    expect(await run("clientId: 'orders-key'")).toMatch(
      /^Bearer invoices:read AccessToken \{\n {2}tokenType: 'Bearer',\n/,
    )
  })

  it("Oracle's four forms", async () => {
    const { clientId, secret: ORACLE_SECRET, certificate } = domain.applications.confidential
    const ORACLE_KEY = await exportPKCS8(certificate.keyPair.privateKey)
    const CODE = domain.issueAuthorizationCode({ clientId, user: 'alice@example.com' })
    expect(await run('oracleIdentityDomain({', { ORACLE_SECRET, ORACLE_KEY, CODE })).toBe(
      "{ sub: 'alice@example.com', preferred_username: 'alice@example.com' }\n" +
        'urn:opc:idm:__myscopes__\n' +
        'https://api.example.com/invoices:read urn:opc:resource:expiry=7200\n' +
        'urn:opc:idm:__myscopes__\n',
    )
    const tokenRequests = domain.requests.filter(({ method }) => method === 'POST')
    expect(tokenRequests.map(({ headers, form }) => [headers.authorization?.split(' ')[0], [...form.keys()]])).toEqual([
      [undefined, ['grant_type', 'code', 'redirect_uri', 'client_id', 'client_secret']],
      ['Basic', ['grant_type', 'scope']],
      [undefined, ['grant_type', 'scope', 'client_id', 'client_assertion_type', 'client_assertion']],
      ['Basic', ['grant_type', 'assertion', 'scope']],
    ])
  })

  it('refreshToken', async () => {
    const REFRESH_TOKEN = await server.issueRefreshToken({ clientId: 'orders', subject: 'alice' })
    expect(await run('refreshToken({', { REFRESH_TOKEN })).toBe('stored 2\n200\n')
  })

  it('jwtBearer with an assertion of the context', async () => {
    const { secret: WITH_KEY_SECRET, signingKey, clientId } = server.clients.basicWithKey
    const assertion = await new SignJWT({ sub: 'alice', iss: clientId, aud: server.issuer })
      .setProtectedHeader({ alg: signingKey.algorithm, kid: signingKey.kid })
      .setExpirationTime('1m')
      .sign(signingKey.privateKey)
    expect(await run('jwtBearer({\n', { WITH_KEY_SECRET, ASSERTION_FOR_alice: assertion })).toBe(
      'Bearer invoices:read\n',
    )
  })

  it('tokenExchange', async () => {
    const caller = createTokenSource({
      issuer: server.issuer,
      clientId: server.clients.basic.clientId,
      clientAuth: clientSecretBasic(server.clients.basic.secret),
      scope: 'invoices:read',
    })
    const { value } = await caller.get()
    await caller.close()
    expect(await run('tokenExchange({\n', { INBOUND_TOKEN: value })).toBe('200\n')
    expect(server.tokenRequests.at(-1)).toMatchObject({ clientId: 'orders', status: 200 })
  })

  it('oauth by tenant', async () => {
    const secrets = { SECRET_OF_acme: secret, SECRET_OF_globex: secret }
    expect(await run("['acme', 'globex']", secrets)).toBe('acme 200\nglobex 200\n')
    expect(api.requests.slice(-2).map(({ clientId }) => clientId)).toEqual(['orders-acme', 'orders-globex'])
  })

  it('the context', async () => {
    const asking = `
      await new Promise((resolve) => server.listen(0, resolve))
      const answer = await fetch('http://127.0.0.1:' + server.address().port, { headers: { 'x-request-id': 'r-1', cookie: 'c' } })
      console.log(await answer.text())
      server.close()
      await upstreams.close()`
    expect(await run('contextOf', {}, asking)).toBe('200\n\n')
    const { headers } = api.requests.at(-1) ?? {}
    expect(headers).toMatchObject({ 'x-request-id': 'r-1' })
    expect(headers).not.toHaveProperty('cookie')
  })

  it('health', async () => {
    const asking = `
      await new Promise((resolve) => ready.listen(0, resolve))
      const ask = async () => {
        const answer = await fetch('http://127.0.0.1:' + ready.address().port)
        return answer.status + ' ' + (await answer.text())
      }
      console.log(upstreams.health().status)
      await upstreams.billing.tokens.get()
      console.log(await ask())
      await upstreams.close()
      console.log((await ask()).slice(0, 20))
      ready.close()`
    expect(await run('upstreams.health()', {}, asking)).toBe(
      'down\n200 {"status":"ok","upstreams":{"billing":{"status":"ok"}}}\n503 {"status":"down"\n',
    )
  })

  it('errors', async () => {
    expect(await run('instanceof TokenRequestError')).toBe(
      'Upstream "billing": the authorization server refused the token request invalid_client 401\n',
    )
  })

  it('channels', async () => {
    expect(await run('subscribe(')).toBe('token request for billing: client_credentials 200\n200\n')
  })

  it('authorize', async () => {
    expect(await run('authorize({ source')).toMatch(/^200 \{/)
  })
})
