import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { createAuthorizationServer, createProtectedApi } from '@tokenwell/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const packageFolder = join(import.meta.dirname, '..')
const secret = 'p:a%s s+w/-._~'

let folder: string
let blocks: string[]
let server: Awaited<ReturnType<typeof createAuthorizationServer>>
let api: Awaited<ReturnType<typeof createProtectedApi>>

beforeAll(async () => {
  server = await createAuthorizationServer({ clients: [{ clientId: 'orders', method: 'client_secret_basic', secret }] })
  api = await createProtectedApi({ issuer: server.issuer, jwksUri: server.jwksUri, requiredScope: 'invoices:read' })
  // Inside the package, so that its own name leads to what its users would load.
  folder = await mkdtemp(join(packageFolder, 'dist/.readme-'))
  const readme = await readFile(join(packageFolder, 'README.md'), 'utf8')
  blocks = [...readme.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code = '']) => code)
})
afterAll(async () => {
  await Promise.all([rm(folder, { recursive: true, force: true }), server.close(), api.close()])
})

/** Runs the block that has this text, with the real servers in place of the examples, and gives what it prints. */
async function run(text: string): Promise<string> {
  const code = blocks.filter((block) => block.includes(text))
  expect(code).toHaveLength(1)
  const real = (code[0] ?? '')
    .replaceAll('https://login.example.com', server.issuer)
    .replaceAll('https://billing.example.com', api.url)
    .replaceAll('orders-key-1', server.clients.privateKeyJwt.kid)
    .replaceAll('orders-key', server.clients.privateKeyJwt.clientId)
  const file = join(folder, `${crypto.randomUUID()}.ts`)
  await writeFile(file, real)
  const env = { ...process.env, BILLING_SECRET: secret, SIGNING_KEY: server.clients.privateKeyJwt.privateKeyPem }
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [file], { env })
  expect(stderr).toBe('')
  return stdout
}

describe("the README's code runs as it stands", () => {
  it('every block is run below', () => {
    expect(blocks).toHaveLength(4)
  })

  it('createUpstreams', async () => {
    const printed = await run('createUpstreams({')
    expect(printed).toMatch(/^200 \{/)
    expect(printed).toContain("clientId: 'orders'")
    expect(printed).toContain("path: '/v1/invoices/42'")
  })

  it('createTokenSource with privateKeyJwt', async () => {
    expect(await run('privateKeyJwt(')).toMatch(/^Bearer invoices:read AccessToken \{\n {2}tokenType: 'Bearer',\n/)
  })

  it('errors', async () => {
    expect(await run('catch (error)')).toBe(
      'Upstream "billing": the authorization server refused the token request invalid_client 401\n',
    )
  })

  it('authorize', async () => {
    expect(await run('authorize({ source')).toMatch(/^200 \{/)
  })
})
