import { setTimeout as delay } from 'node:timers/promises'

import type { ProviderContext } from 'oidc-provider/lib/provider.js'

import { toTokenRequestRecord } from './read-token-request.ts'
import type { TokenRequestListener, TokenRequestRecord } from './token-request-record.ts'

/** What is seen of token requests from the outside, and what holds their answers. */
export interface TokenRequestObserver {
  readonly records: readonly TokenRequestRecord[]
  /** Requests that have arrived, answered or not. */
  readonly count: number
  listen(listener: TokenRequestListener): () => void
  readonly middleware: (context: ProviderContext, next: () => Promise<void>) => Promise<void>
}

/** Watches the token endpoint. `closing` ends the delay of answers that are due later. */
export function createTokenRequestObserver(delayMs: number | undefined, closing: AbortSignal): TokenRequestObserver {
  const records: TokenRequestRecord[] = []
  const listeners = new Set<TokenRequestListener>()
  let count = 0
  return {
    records,
    get count() {
      return count
    },
    listen(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    async middleware(context, next) {
      if (context.path !== '/token' || context.method !== 'POST') return next()
      const arrival = { index: count, at: Date.now() }
      count += 1
      for (const listener of listeners) await listener(arrival)
      if (delayMs !== undefined) await delay(delayMs, undefined, { signal: closing })
      await next()
      records.push(toTokenRequestRecord(context, arrival.at))
    },
  }
}
