import { nextRenewalAge } from './backoff.ts'
import { BoundedMap } from './bounded-map.ts'
import type { CachedToken } from './token-cache.ts'

interface FailedRenewal {
  readonly generation: string
  readonly failures: number
  /** Age of the token at which the next attempt is due. */
  readonly dueAge: number
}

/** When the renewal of a stale token may be tried again after it failed. Forgotten with the token that it belongs to. */
export class RenewalBackoff {
  readonly #failed = new BoundedMap<FailedRenewal>(1000)
  readonly #random: () => number

  constructor(random: () => number) {
    this.#random = random
  }

  isDue(key: string, { token }: CachedToken, ageMs: number): boolean {
    const last = this.#failed.peek(key)
    return last === undefined || last.generation !== token.generation || ageMs >= last.dueAge
  }

  /** Notes a failure and gives the age at which the next attempt is due. */
  failed(key: string, { token, lifetime }: CachedToken, ageMs: number): number {
    const last = this.#failed.peek(key)
    const failures = last?.generation === token.generation ? last.failures + 1 : 1
    const dueAge = nextRenewalAge({ lifetime, ageMs, failures }, this.#random)
    this.#failed.set(key, { generation: token.generation, failures, dueAge })
    return dueAge
  }

  forget(key: string): void {
    this.#failed.delete(key)
  }

  clear(): void {
    this.#failed.clear()
  }
}
