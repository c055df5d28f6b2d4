import { createHash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { TLSSocket } from 'node:tls'

import { calculateJwkThumbprint, EmbeddedJWK, jwtVerify, type JWTPayload } from 'jose'

import { keyAlgorithms } from '../jwt/key-algorithms.ts'
import type { NonceKeeper } from './dpop-nonces.ts'

/** The thumbprint of the key that the proof is by, or why it is none. */
export type ProofCheck = { readonly jkt: string } | { readonly error: 'invalid_dpop_proof' | 'use_dpop_nonce' }

/** Checks the proof of a request that came with `token`. */
export type ProofChecker = (request: IncomingMessage, token: string) => Promise<ProofCheck>

const invalid: ProofCheck = { error: 'invalid_dpop_proof' }

/** Checks proofs as RFC 9449 §4.3 says, each `jti` of a key once. `windowSeconds` is how far `iat` may be from now. */
export function createProofChecker(nonces: NonceKeeper, windowSeconds: number): ProofChecker {
  const seen = new Set<string>()
  return async (request, token) => {
    const proof = await readProof(request.headers['dpop'])
    if (proof === undefined) return invalid
    const { claims, jkt } = proof
    const { htm, htu, iat, jti, ath, nonce } = claims
    if (htm !== request.method || normalizedUrl(htu) !== normalizedUrl(requestUrl(request))) return invalid
    if (typeof iat !== 'number' || Math.abs(Date.now() / 1000 - iat) > windowSeconds) return invalid
    if (ath !== createHash('sha256').update(token).digest('base64url')) return invalid
    if (typeof jti !== 'string' || jti === '') return invalid
    if (nonces.mode === 'off' && nonce !== undefined) return invalid
    const id = `${jkt} ${jti}`
    if (seen.has(id)) return invalid
    seen.add(id)
    return nonces.take(nonce) ? { jkt } : { error: 'use_dpop_nonce' }
  }
}

async function readProof(
  header: string | string[] | undefined,
): Promise<{ claims: JWTPayload; jkt: string } | undefined> {
  if (typeof header !== 'string') return undefined
  try {
    const { payload, protectedHeader } = await jwtVerify(header, EmbeddedJWK, {
      typ: 'dpop+jwt',
      algorithms: [...keyAlgorithms],
    })
    return { claims: payload, jkt: await calculateJwkThumbprint(protectedHeader.jwk ?? { kty: '' }) }
  } catch {
    // Whatever fails here fails because of the proof, by an error of jose, of Web Crypto or of the language.
    return undefined
  }
}

function requestUrl({ socket, headers, url }: IncomingMessage): string {
  return `${socket instanceof TLSSocket ? 'https' : 'http'}://${headers.host}${url}`
}

// §4.3: compared without query and fragment, after the normalization of RFC 3986 §6.2.2 and §6.2.3.
function normalizedUrl(text: unknown): string | undefined {
  const url = typeof text === 'string' ? URL.parse(text) : null
  if (url === null) return undefined
  const path = url.pathname.replaceAll(/%[\da-f]{2}/gi, (escape) => {
    const character = String.fromCodePoint(Number.parseInt(escape.slice(1), 16))
    return /[\w.~-]/.test(character) ? character : escape.toUpperCase()
  })
  return `${url.protocol}//${url.host}${path}`
}
