import type { TokenRenewalEvent } from '../diagnostics/channels.ts'
import type { AccessToken } from '../oauth/access-token.ts'
import { untilAborted } from '../until-aborted.ts'
import type { FleetTurns } from './fleet-turns.ts'
import type { CachedToken } from './token-cache.ts'
import type { IssuedToken } from './token-plan.ts'
import type { TokensAtHand } from './tokens-at-hand.ts'

/** Asks the authorization server, more than once if need be. `failed` hears of each attempt that fails. */
export type Ask = (failed?: (error: unknown) => void) => Promise<IssuedToken>

/** A token request that the fleet is asked about first. */
export interface SharedRequest {
  readonly key: string
  /** The key of the token that would come now, where that has to be looked up. */
  readonly keyNow: () => Promise<string> | undefined
  readonly forced: boolean
  readonly signal: AbortSignal
  /** If somebody listens. */
  readonly event: TokenRenewalEvent | undefined
  readonly ask: Ask
  /** Keeps what came, unless the flight was detached. */
  readonly receive: (issued: IssuedToken) => CachedToken | undefined
  /** Goes on with the token at hand, for now. */
  readonly makeDo: (held: CachedToken) => void
  /** Keeps what the cache holds on to instead of what it was given. */
  readonly adopt: (sharedKey: string, entry: CachedToken) => void
}

/** A token request where other processes may ask for the same token: at best, one does for all. */
export async function askInTurn(fleet: FleetTurns, tokens: TokensAtHand, request: SharedRequest): Promise<AccessToken> {
  const { key, forced, signal, event, ask, receive } = request
  const sharedKey = await sharedKeyOf(request)
  const turn = await fleet.take({
    key: sharedKey,
    forced,
    signal,
    suits: (entry) => tokens.suits(key, entry),
    awaited: () => tokens.usable(key) === undefined,
  })
  const held = tokens.usable(key)
  if (turn.outcome === 'found') {
    if (event !== undefined) event.origin = 'l2'
    receive({ ...turn.entry, key: sharedKey })
    return turn.entry.token
  }
  if (turn.outcome !== 'ask' && held !== undefined) {
    if (event !== undefined) event.origin = 'none'
    request.makeDo(held)
    return held.token
  }
  if (turn.outcome === 'paused') throw turn.error
  const lease = turn.outcome === 'ask' ? turn.lease : undefined
  let told: CachedToken | undefined
  try {
    signal.throwIfAborted()
    const issued = await ask((error) => fleet.failed(sharedKey, error))
    const kept = receive(issued)
    const isOther = (issued.key ?? key) !== sharedKey
    if (kept !== undefined && isOther) fleet.set(issued.key ?? key, kept)
    told = isOther ? undefined : kept
    return issued.token
  } finally {
    fleet.done(sharedKey, lease, told, (entry) => request.adopt(sharedKey, entry))
  }
}

async function sharedKeyOf({ key, keyNow, signal }: SharedRequest): Promise<string> {
  const now = keyNow()
  // What cannot be read now is the token request's trouble.
  return now === undefined ? key : untilAborted(signal, now).catch(() => key)
}
