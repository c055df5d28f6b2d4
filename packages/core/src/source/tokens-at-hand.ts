import type { Clock } from '../clock.ts'
import { ageMs, stateAt, type TokenState } from './lifetime.ts'
import type { MemoryTokenCache } from './memory-token-cache.ts'
import type { CachedToken } from './token-cache.ts'

/** What {@link TokensAtHand} stands on. */
export interface TokensAtHandOptions {
  readonly memory: MemoryTokenCache
  readonly clock: Clock
  /** How long past its end a token is good enough when no other can be had. */
  readonly staleIfErrorMs: number
}

/** Tokens in this process's memory, by what they are good for at this moment. */
export class TokensAtHand {
  readonly #options: TokensAtHandOptions

  constructor(options: TokensAtHandOptions) {
    this.#options = options
  }

  ageOf({ lifetime }: CachedToken): number {
    const { clock } = this.#options
    return ageMs(lifetime, clock.now(), clock.monotonic())
  }

  stateOf(entry: CachedToken): TokenState {
    return stateAt(entry.lifetime, this.ageOf(entry))
  }

  /** Past its end, and past what was opted for beyond that. */
  isDead(entry: CachedToken): boolean {
    return this.ageOf(entry) >= entry.lifetime.lifetimeMs + this.#options.staleIfErrorMs
  }

  isHeld(key: string, entry: CachedToken): boolean {
    return this.#options.memory.peek(key) === entry
  }

  usable(key: string): CachedToken | undefined {
    const held = this.#options.memory.peek(key)
    return held !== undefined && this.stateOf(held) !== 'expired' ? held : undefined
  }

  /** What calls get when another one cannot be had. */
  lastResort(key: string): CachedToken | undefined {
    const { memory, staleIfErrorMs } = this.#options
    const held = memory.peek(key)
    if (held === undefined || this.stateOf(held) !== 'expired') return held
    return staleIfErrorMs > 0 && !this.isDead(held) ? held : undefined
  }

  // Some servers hand out the same token until late in its life: asking again at once would not change that. And one that
  // was long on its way may be dead when it comes, which is no gain even for those who asked for another one.
  isBetter(entry: CachedToken, held: CachedToken, forced: boolean): boolean {
    return forced ? this.stateOf(entry) !== 'expired' : this.#leftOf(entry) > this.#leftOf(held)
  }

  /** Is this, which another process has got, as good as asking? */
  suits(key: string, entry: CachedToken): boolean {
    const held = this.usable(key)
    const state = this.stateOf(entry)
    // Who has none takes one that is about to be renewed, rather than wait for another.
    return held === undefined ? state !== 'expired' : state === 'fresh' && this.isBetter(entry, held, false)
  }

  #leftOf(entry: CachedToken): number {
    return entry.lifetime.lifetimeMs - this.ageOf(entry)
  }
}
