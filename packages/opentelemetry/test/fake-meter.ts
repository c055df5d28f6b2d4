import type { Attributes, Meter, MeterProvider, MetricOptions } from '@opentelemetry/api'

/** One measurement. */
export interface Point {
  readonly value: number
  readonly attributes: Attributes
}

interface Instrument {
  readonly kind: string
  readonly options: MetricOptions | undefined
  readonly points: Point[]
}

/** A meter provider without an SDK: keeps what it is told. */
export class FakeMeterProvider {
  readonly instruments = new Map<string, Instrument>()
  readonly scopes: string[] = []
  readonly #callbacks = new Set<() => void>()

  /** As the API has it, but for what nobody here uses. */
  get asProvider(): MeterProvider {
    return this as object as MeterProvider
  }

  getMeter(scope: string): Meter {
    this.scopes.push(scope)
    const instrument = (kind: string) => (name: string, options?: MetricOptions) => {
      // As an SDK has it: made again, it is the same one.
      const points: Point[] = this.instruments.get(name)?.points ?? []
      this.instruments.set(name, { kind, options, points })
      const add = (value: number, attributes: Attributes = {}) => void points.push({ value, attributes })
      const callbacks = new Map<unknown, () => void>()
      return {
        record: add,
        add,
        addCallback: (callback: (result: { observe: typeof add }) => void) => {
          const observe = () => {
            points.length = 0
            callback({ observe: add })
          }
          callbacks.set(callback, observe)
          this.#callbacks.add(observe)
        },
        removeCallback: (callback: unknown) => {
          points.length = 0
          this.#callbacks.delete(callbacks.get(callback) as () => void)
        },
      }
    }
    return {
      createHistogram: instrument('histogram'),
      createCounter: instrument('counter'),
      createObservableCounter: instrument('observable counter'),
      createObservableUpDownCounter: instrument('observable up-down counter'),
    } as never
  }

  /** The points of an instrument, now. */
  collect(name: string): readonly Point[] {
    for (const observe of this.#callbacks) observe()
    return this.instruments.get(name)?.points ?? []
  }
}
