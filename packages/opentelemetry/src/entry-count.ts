import type { Meter, ObservableResult } from '@opentelemetry/api'
import type { CacheEntriesEvent } from '@tokenwell/core'
import { attributes } from './attributes.ts'

/** `tokenwell.cache.entries`: of all caches of this process together, less those that nobody holds any more. */
export class EntryCount {
  readonly #held = new WeakMap<object, { entries: number }>()
  readonly #gone = new FinalizationRegistry<{ entries: number }>((last) => void (this.#entries -= last.entries))
  #entries = 0
  readonly stop: () => void

  constructor(meter: Meter) {
    const counter = meter.createObservableUpDownCounter('tokenwell.cache.entries', {
      description: 'Tokens in the memory of this process',
      unit: '{entry}',
    })
    const l1 = attributes({ tier: 'l1' })
    const observe = (result: ObservableResult) => result.observe(this.#entries, l1)
    counter.addCallback(observe)
    this.stop = () => counter.removeCallback(observe)
  }

  note({ cache, entries }: CacheEntriesEvent): void {
    let last = this.#held.get(cache)
    if (last === undefined) {
      last = { entries: 0 }
      this.#held.set(cache, last)
      this.#gone.register(cache, last)
    }
    this.#entries += entries - last.entries
    last.entries = entries
  }
}
