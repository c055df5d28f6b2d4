import type { Attributes, Meter, ObservableResult } from '@opentelemetry/api'
import { attributes } from './attributes.ts'

/** How often one thing happened. */
export interface Counted {
  count: number
}

interface Values {
  readonly upstream: string | undefined
  readonly tier: 'l1' | 'l2'
  readonly operation: string
  readonly cacheOutcome: string | undefined
}

/**
 * `tokenwell.cache.operations`. An observable counter: every call of a warm upstream is one operation, which costs an addition
 * and no more until somebody collects.
 */
export class OperationCounts {
  readonly #counted = new Map<string, Counted & { readonly attributes: Attributes }>()
  readonly stop: () => void

  constructor(meter: Meter) {
    const counter = meter.createObservableCounter('tokenwell.cache.operations', {
      description: 'Operations of token caches: l1 is the memory of this process, l2 is shared',
      unit: '{operation}',
    })
    const observe = (result: ObservableResult) => {
      for (const { count, attributes: of } of this.#counted.values()) result.observe(count, of)
    }
    counter.addCallback(observe)
    this.stop = () => counter.removeCallback(observe)
  }

  of(values: Values): Counted {
    const { upstream, tier, operation, cacheOutcome } = values
    const key = JSON.stringify([upstream, tier, operation, cacheOutcome])
    const before = this.#counted.get(key)
    if (before !== undefined) return before
    const counted = { count: 0, attributes: attributes(values) }
    this.#counted.set(key, counted)
    return counted
  }
}
