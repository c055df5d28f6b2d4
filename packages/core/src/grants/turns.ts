import { untilAborted } from '../until-aborted.ts'
import type { GrantCredentials } from './grant.ts'

/** One sending after the other, for what may be sent once: the next one begins when the last one has been settled. */
export class Turns {
  #last: Promise<void> = Promise.resolve()
  #taken = 0

  /** Nobody has a turn, or waits for one. */
  get areOver(): boolean {
    return this.#taken === 0
  }

  /** Waits for its turn, then makes what is sent. Rejects with the signal's reason if that comes first. */
  async take(signal: AbortSignal, make: () => Promise<GrantCredentials>): Promise<GrantCredentials> {
    const { promise: over, resolve } = Promise.withResolvers<void>()
    const end = () => {
      this.#taken -= 1
      resolve()
    }
    this.#taken += 1
    const before = this.#last
    this.#last = before.then(() => over)
    try {
      await untilAborted(signal, before)
      const made = await untilAborted(signal, make())
      return {
        ...made,
        settle: async (ending) => {
          try {
            return (await made.settle?.(ending)) ?? true
          } finally {
            end()
          }
        },
      }
    } catch (error) {
      end()
      throw error
    }
  }
}
