import { generateKeyPairSync, randomBytes } from 'node:crypto'
import type { ClientDefinition } from '@tokenwell/testing'

/** One of the examples: who it is to the authorization server, and how it is started. */
export interface Caller {
  readonly name: string
  /** Does it serve requests, or work by itself? */
  readonly kind: 'service' | 'worker'
  /** How its code calls the API, for the table. */
  readonly entryPoint: string
  /** What it runs, relative to this file. */
  readonly start: string
  readonly client: ClientDefinition
  /** Beyond what all examples read. */
  readonly env: Readonly<Record<string, string>>
}

/** The scope that each asks for and that the API wants. */
export const scope = 'invoices:read'

/** The four examples, each a client of its own with credentials of its own. */
export function createCallers(): readonly Caller[] {
  return [
    {
      name: 'express',
      kind: 'service',
      entryPoint: 'req.upstreams.billing.fetch()',
      start: '../express/src/main.ts',
      ...withSecret('orders-express', 'client_secret_basic'),
    },
    {
      name: 'fastify',
      kind: 'service',
      entryPoint: 'request.upstreams.billing.request()',
      start: '../fastify/src/main.ts',
      ...withSecret('orders-fastify', 'client_secret_post'),
    },
    {
      name: 'nestjs',
      kind: 'service',
      entryPoint: "@InjectUpstream('billing') + fetch()",
      start: '../nestjs/dist/main.js',
      ...withKey('orders-nestjs'),
    },
    {
      name: 'worker',
      kind: 'worker',
      entryPoint: "undici's request({ dispatcher })",
      start: '../worker/src/main.ts',
      ...withSecret('orders-worker', 'client_secret_basic'),
    },
  ]
}

function withSecret(
  clientId: string,
  method: 'client_secret_basic' | 'client_secret_post',
): Pick<Caller, 'client' | 'env'> {
  // The end is what a wrong encoding of Basic credentials (RFC 6749 §2.3.1) would spoil.
  const secret = `${randomBytes(24).toString('base64')}:%+`
  return { client: { clientId, method, secret, scopes: [scope] }, env: { BILLING_CLIENT_SECRET: secret } }
}

function withKey(clientId: string): Pick<Caller, 'client' | 'env'> {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const kid = `${clientId}-1`
  const keys = [{ ...publicKey.export({ format: 'jwk' }), kid, alg: 'RS256', use: 'sig' }]
  return {
    client: { clientId, method: 'private_key_jwt', algorithm: 'RS256', publicJwks: { keys }, scopes: [scope] },
    env: {
      BILLING_PRIVATE_KEY: privateKey.export({ format: 'pem', type: 'pkcs8' }),
      BILLING_KEY_ID: kid,
    },
  }
}
