import { generateKeyPairSync, randomBytes } from 'node:crypto'
import type { ClientDefinition } from '@tokenwell/testing'
import { scopes } from './users.ts'

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

/** The four examples, each a client of its own with credentials of its own. */
export function createCallers(): readonly Caller[] {
  return [
    {
      name: 'express',
      kind: 'service',
      entryPoint: 'req.upstreams, fetch()',
      start: '../express/src/main.ts',
      ...withSecret('orders-express', 'client_secret_basic'),
    },
    {
      name: 'fastify',
      kind: 'service',
      entryPoint: 'request.upstreams, request()',
      start: '../fastify/src/main.ts',
      ...withSecret('orders-fastify', 'client_secret_post'),
    },
    {
      name: 'nestjs',
      kind: 'service',
      entryPoint: '@InjectUpstream(), fetch()',
      start: '../nestjs/dist/main.js',
      ...withKey('orders-nestjs'),
    },
    {
      name: 'worker',
      kind: 'worker',
      entryPoint: "dispatcher for undici's request()",
      start: '../worker/src/main.ts',
      ...withSecret('worker', 'client_secret_basic'),
    },
  ]
}

function withSecret(
  clientId: string,
  method: 'client_secret_basic' | 'client_secret_post',
): Pick<Caller, 'client' | 'env'> {
  // The end is what a wrong encoding of Basic credentials (RFC 6749 §2.3.1) would spoil.
  const secret = `${randomBytes(24).toString('base64')}:%+`
  return { client: { clientId, method, secret, scopes: Object.values(scopes) }, env: { CLIENT_SECRET: secret } }
}

function withKey(clientId: string): Pick<Caller, 'client' | 'env'> {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const kid = `${clientId}-1`
  const keys = [{ ...publicKey.export({ format: 'jwk' }), kid, alg: 'RS256', use: 'sig' }]
  return {
    client: {
      clientId,
      method: 'private_key_jwt',
      algorithm: 'RS256',
      publicJwks: { keys },
      scopes: Object.values(scopes),
    },
    env: {
      PRIVATE_KEY: privateKey.export({ format: 'pem', type: 'pkcs8' }),
      KEY_ID: kid,
    },
  }
}
