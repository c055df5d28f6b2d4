import { createHash, randomUUID } from 'node:crypto'

import { calculateJwkThumbprint, exportJWK, generateKeyPair, SignJWT, type JWK } from 'jose'

export interface Prover {
  readonly jkt: string
  /** A proof of a request, with whatever is wrong about it. */
  prove(claims: Record<string, unknown>, header?: Record<string, unknown>): Promise<string>
}

export async function createProver(algorithm = 'ES256'): Promise<Prover> {
  const { privateKey, publicKey } = await generateKeyPair(algorithm, { extractable: true })
  const jwk: JWK = await exportJWK(publicKey)
  return {
    jkt: await calculateJwkThumbprint(jwk),
    prove: (claims, header = {}) =>
      new SignJWT({ jti: randomUUID(), iat: Math.floor(Date.now() / 1000), ...claims })
        .setProtectedHeader({ alg: algorithm, typ: 'dpop+jwt', jwk, ...header })
        .sign(privateKey),
  }
}

export function ath(token: string): string {
  return createHash('sha256').update(token).digest('base64url')
}
