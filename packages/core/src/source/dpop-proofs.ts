import type { Clock } from '../clock.ts'
import type { AccessToken } from '../oauth/access-token.ts'
import type { DpopKey } from '../oauth/dpop-key.ts'
import { dpopProof } from '../oauth/dpop-proof.ts'
import type { TokenRequestProofs } from '../oauth/token-endpoint.ts'
import { DpopNonces } from './dpop-nonces.ts'

/** A request to an API that a bound token is to go with. */
export interface BoundRequest {
  readonly method: string
  /** Scheme, host and port. */
  readonly origin: string
  /** Path, with or without a query. */
  readonly path: string
  readonly token: AccessToken
  /** The nonce that the refused sending of this very request brought. Default: the last one of this origin. */
  readonly nonce?: string | undefined
}

/** Proofs of possession for tokens that are bound to a key (RFC 9449 §7). */
export interface DpopProofs {
  /** The value of the DPoP header: a new one for each sending. */
  prove(request: BoundRequest): Promise<string>
  /** Takes note of an API's `DPoP-Nonce`, and gives it back if it is one. */
  note(origin: string, header: string | readonly string[] | null | undefined): string | undefined
}

/** Proofs to APIs by this key, each with the nonce that the API last asked for. */
export function createDpopProofs(key: DpopKey, clock: Clock): DpopProofs {
  const nonces = new DpopNonces(clock)
  return Object.freeze({
    prove: ({ method, origin, path, token, nonce = nonces.get(origin) }: BoundRequest) =>
      dpopProof(key, { method, url: origin + path, accessToken: token.value, nonce, issuedAt: secondsOf(clock) }),
    note: (origin: string, header: string | readonly string[] | null | undefined) => nonces.note(origin, header),
  })
}

/** Proofs to the authorization server, whose nonces are another matter than those of APIs (RFC 9449 §8). */
export function createTokenRequestProofs(key: DpopKey, clock: Clock): TokenRequestProofs {
  const nonces = new DpopNonces(clock)
  return {
    prove: (url) =>
      dpopProof(key, { method: 'POST', url, nonce: nonces.get(new URL(url).origin), issuedAt: secondsOf(clock) }),
    note: (url, headers) => nonces.note(new URL(url).origin, headers.get('dpop-nonce')) !== undefined,
  }
}

function secondsOf(clock: Clock): number {
  return Math.floor(clock.now() / 1000)
}
