import { generateKeyPairSync } from 'node:crypto'

const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const jwk = { ...publicKey.export({ format: 'jwk' }), kid: 'orders-1', alg: 'ES256', use: 'sig' }

/** The service, as the authorization server knows it. */
export const client = {
  clientId: 'orders',
  method: 'private_key_jwt',
  algorithm: 'ES256',
  publicJwks: { keys: [jwk] },
  scopes: ['invoices:read', 'profile:read'],
} as const

/** What the service knows of its credentials. */
export const env = { PRIVATE_KEY: privateKey.export({ format: 'pem', type: 'pkcs8' }), KEY_ID: jwk.kid }
