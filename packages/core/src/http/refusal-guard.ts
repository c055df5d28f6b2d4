import type { AccessToken } from '../oauth/access-token.ts'

const firstPauseMs = 10_000
const longestPauseMs = 60_000

interface Replacement {
  readonly at: number
  readonly pauseMs: number
}

/**
 * Keeps an API that refuses every token from causing a token request for every call: a token that took the place of a
 * refused one may itself be replaced only after 10 s, then 20, 40 and 60. One call that goes well ends that.
 */
export class RefusalGuard {
  readonly #replacements = new WeakMap<AccessToken, Replacement>()
  readonly #now: () => number
  // Every call asks, and hardly any API ever refuses a token.
  #used = false

  /** `now` is a monotonic clock in milliseconds. */
  constructor(now: () => number) {
    this.#now = now
  }

  /** May this refused token be replaced now? */
  allows(refused: AccessToken): boolean {
    const replacement = this.#replacements.get(refused)
    return replacement === undefined || this.#now() - replacement.at >= replacement.pauseMs
  }

  replaced(refused: AccessToken, by: AccessToken): void {
    if (this.#replacements.has(by)) return
    this.#used = true
    const before = this.#replacements.get(refused)
    const pauseMs = before === undefined ? firstPauseMs : Math.min(before.pauseMs * 2, longestPauseMs)
    this.#replacements.set(by, { at: this.#now(), pauseMs })
  }

  /** True of a token that had taken the place of a refused one, once. */
  accepted(token: AccessToken): boolean {
    return this.#used && this.#replacements.delete(token)
  }
}
