import { hash, randomUUID } from 'node:crypto'
import type { DpopKey } from './dpop-key.ts'

/** What a proof is for. */
export interface ProofRequest {
  readonly method: string
  /** Query and fragment play no part. */
  readonly url: string
  /** The value of the access token that the proof goes with; none for a token request. */
  readonly accessToken?: string | undefined
  readonly nonce?: string | undefined
  /** Seconds since the epoch. */
  readonly issuedAt: number
}

/** A DPoP proof (RFC 9449 §4.2), for one sending of one request. */
export function dpopProof(key: DpopKey, { method, url, accessToken, nonce, issuedAt }: ProofRequest): Promise<string> {
  const { signing, publicJwk } = key
  const claims = {
    jti: randomUUID(),
    htm: method,
    htu: withoutQuery(url),
    iat: issuedAt,
    ...(accessToken === undefined ? {} : { ath: hash('sha256', accessToken, 'base64url') }),
    ...(nonce === undefined ? {} : { nonce }),
  }
  return signing.sign({ typ: 'dpop+jwt', alg: signing.algorithm, jwk: publicJwk }, claims)
}

// RFC 3986 §6.2.2 and §6.2.3: servers compare after normalizing, and this is what normalizing gives.
function withoutQuery(text: string): string {
  const url = new URL(text)
  return url.origin + url.pathname
}
