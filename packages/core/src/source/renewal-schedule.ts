import type { Clock } from '../clock.ts'
import { KeepWarm } from './keep-warm.ts'
import { RenewalBackoff } from './renewal-backoff.ts'
import type { CachedToken } from './token-cache.ts'
import type { TokenPlan } from './token-plan.ts'
import type { TokensAtHand } from './tokens-at-hand.ts'

/** What {@link RenewalSchedule} stands on. */
export interface RenewalScheduleOptions {
  readonly tokens: TokensAtHand
  readonly clock: Clock
  readonly random: () => number
  /** Whether tokens that nobody asks for are renewed too. */
  readonly keepWarm: boolean
  /** Renews the token at hand if that is due. */
  readonly renew: (plan: TokenPlan, held: CachedToken) => void
}

/** When tokens at hand are renewed: once they are stale, and after a failure later than that. */
export class RenewalSchedule {
  readonly #options: RenewalScheduleOptions
  readonly #backoff: RenewalBackoff
  readonly #warm: KeepWarm | undefined

  constructor(options: RenewalScheduleOptions) {
    this.#options = options
    this.#backoff = new RenewalBackoff(options.random)
    this.#warm = options.keepWarm ? new KeepWarm(options.clock) : undefined
  }

  /** May this stale token's renewal be tried now? */
  isDue({ key }: TokenPlan, held: CachedToken): boolean {
    return this.#backoff.isDue(key, held, this.#options.tokens.ageOf(held))
  }

  /** There is another token. */
  begin(plan: TokenPlan, entry: CachedToken): void {
    this.#backoff.forget(plan.key)
    this.#wake(plan, entry, entry.lifetime.renewAfterMs - this.#options.tokens.ageOf(entry))
  }

  /** There was none to be had, and the one at hand has to do for longer. */
  backOff(plan: TokenPlan, held: CachedToken): void {
    const age = this.#options.tokens.ageOf(held)
    const dueAge = this.#backoff.failed(plan.key, held, age)
    if (dueAge < held.lifetime.usableForMs) this.#wake(plan, held, dueAge - age)
  }

  clear(): void {
    this.#warm?.clear()
    this.#backoff.clear()
  }

  #wake(plan: TokenPlan, entry: CachedToken, delayMs: number): void {
    const { tokens, renew } = this.#options
    this.#warm?.schedule(plan.key, delayMs, () => {
      // It may have been replaced, refused or dropped for want of room since.
      if (!tokens.isHeld(plan.key, entry)) return
      // A timer goes no further than some weeks.
      const early = entry.lifetime.renewAfterMs - tokens.ageOf(entry)
      if (early > 0) this.#wake(plan, entry, early)
      else renew(plan, entry)
    })
  }
}
