import { randomUUID } from 'node:crypto'

import type { FullReply } from './reply.ts'

/** Options of `tokenReply`. */
export interface TokenReplyOptions {
  /** Default: another one for each call. */
  readonly accessToken?: string
  /** In seconds; `null` leaves the member out. Text is sent as text. Default: 3600. */
  readonly expiresIn?: number | string | null
  /** Default: `Bearer`. */
  readonly tokenType?: string
  /** Default: left out. */
  readonly scope?: string
  /** Further members, which win over those above. */
  readonly extra?: Readonly<Record<string, unknown>>
}

/**
 * A good answer of a token endpoint, RFC 6749 §5.1.
 * The token is made when this is called: for another one per request, script `() => tokenReply()`.
 */
export function tokenReply(options: TokenReplyOptions = {}): FullReply {
  const { expiresIn = 3600 } = options
  return {
    status: 200,
    headers: { 'cache-control': 'no-store' },
    body: {
      access_token: options.accessToken ?? `token-${randomUUID()}`,
      token_type: options.tokenType ?? 'Bearer',
      ...(expiresIn === null ? {} : { expires_in: expiresIn }),
      ...(options.scope === undefined ? {} : { scope: options.scope }),
      ...options.extra,
    },
  }
}
