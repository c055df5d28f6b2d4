import type { Clock } from '../clock.ts'
import { TokenwellError } from '../errors.ts'
import { tokenAcquire, tokenHit, tokenRenewal, type TokenAcquireEvent, type TokenRenewalEvent } from './channels.ts'
import { traced } from './traced.ts'

interface Token {
  readonly expiresAt: number
}

/** What happens to the tokens of one source, told to whoever listens. */
export class TokenEvents {
  readonly #upstream: string | undefined
  readonly #clock: Clock
  /** Of the renewals under way, by token key. */
  readonly #renewals = new Map<string, TokenRenewalEvent>()

  constructor(upstream: string | undefined, clock: Clock) {
    this.#upstream = upstream
    this.#clock = clock
  }

  /** A token that was at hand, looked for since `began` on the monotonic clock. Only if somebody listens. */
  hit(result: 'hit_l1' | 'stale', token: Token, began: number): void {
    const durationMs = this.#clock.monotonic() - began
    tokenHit.publish({ upstream: this.#upstream, result, durationMs, remainingMs: this.#remainingMs(token) })
  }

  /** The wait of one call. `wait` begins it at once, with a renewal of its own or one that is under way. */
  acquire<Result extends Token>(key: string, wait: () => Promise<Result>): Promise<Result> {
    if (!tokenAcquire.hasSubscribers) return wait()
    const before = this.#renewals.get(key)
    const promise = wait()
    const renewal = this.#renewals.get(key)
    const joined = renewal !== undefined && renewal === before
    const event: TokenAcquireEvent = {
      upstream: this.#upstream,
      result: undefined,
      remainingMs: undefined,
      errorType: undefined,
      renewal,
    }
    return traced(
      tokenAcquire,
      event,
      () => promise,
      (ended, outcome) => {
        if ('result' in outcome) ended.remainingMs = this.#remainingMs(outcome.result)
        ended.result = resultOf(ended, joined, outcome)
      },
    )
  }

  /** Work that gets another token for all who wait. It is given its event, if somebody listens. */
  renewal<Result>(
    key: string,
    reason: TokenRenewalEvent['reason'],
    work: (signal: AbortSignal, event: TokenRenewalEvent | undefined) => Promise<Result>,
  ): (signal: AbortSignal) => Promise<Result> {
    if (!tokenRenewal.hasSubscribers && !tokenAcquire.hasSubscribers) return (signal) => work(signal, undefined)
    const event: TokenRenewalEvent = {
      upstream: this.#upstream,
      reason,
      origin: 'server',
      errorType: undefined,
      around: undefined,
    }
    return (signal) => {
      this.#renewals.set(key, event)
      return traced(
        tokenRenewal,
        event,
        () => work(signal, event),
        () => {
          if (this.#renewals.get(key) === event) this.#renewals.delete(key)
        },
      )
    }
  }

  #remainingMs({ expiresAt }: Token): number {
    return Math.max(0, expiresAt - this.#clock.now())
  }
}

function resultOf(
  { renewal }: TokenAcquireEvent,
  joined: boolean,
  outcome: { readonly result: unknown } | { readonly error: unknown },
): TokenAcquireEvent['result'] {
  if ('error' in outcome && outcome.error instanceof TokenwellError && outcome.error.fromCache) return 'negative'
  // A token came although the renewal brought none.
  if ('result' in outcome && (renewal === undefined || renewal.errorType !== undefined)) return 'stale'
  if (joined) return 'coalesced'
  return renewal?.origin === 'l2' ? 'hit_l2' : 'miss'
}
