import { metrics, trace, type MeterProvider, type TracerProvider } from '@opentelemetry/api'
import { Metrics } from './metrics.ts'
import { spanListeners } from './spans.ts'
import { listen, type Listeners } from './subscriptions.ts'

/** Options of {@link instrumentTokenwell}. */
export interface InstrumentTokenwellOptions {
  /** Where the metrics go. Default: OpenTelemetry's global provider, also if it is set later. */
  readonly meterProvider?: MeterProvider | undefined
  /** Where the spans go. Default: OpenTelemetry's global provider, also if it is set later. */
  readonly tracerProvider?: TracerProvider | undefined
}

/** What {@link instrumentTokenwell} began. */
export interface TokenwellInstrumentation extends Disposable {
  /** Ends it. What was measured stays with the provider. */
  disable(): void
}

interface Active {
  readonly options: InstrumentTokenwellOptions
  users: number
  readonly stop: () => void
}

const scope = 'tokenwell'
const active: Active[] = []

/**
 * Metrics and spans of every upstream and token source of this process, whenever it is made and by whichever copy of `@tokenwell/core`.
 * Called again with the same providers it adds nothing, and ends when each has been disabled. Throws a `TypeError` for a provider that
 * is none.
 */
export function instrumentTokenwell(options: InstrumentTokenwellOptions = {}): TokenwellInstrumentation {
  const { meterProvider, tracerProvider } = options
  if (meterProvider !== undefined && typeof meterProvider?.getMeter !== 'function') {
    throw new TypeError('meterProvider: expected a MeterProvider of OpenTelemetry')
  }
  if (tracerProvider !== undefined && typeof tracerProvider?.getTracer !== 'function') {
    throw new TypeError('tracerProvider: expected a TracerProvider of OpenTelemetry')
  }
  const isSame = ({ options: other }: Active) =>
    other.meterProvider === meterProvider && other.tracerProvider === tracerProvider
  const found = active.find(isSame) ?? start({ meterProvider, tracerProvider })
  found.users += 1
  let enabled = true
  const disable = () => {
    if (!enabled) return
    enabled = false
    found.users -= 1
    if (found.users > 0) return
    active.splice(active.indexOf(found), 1)
    found.stop()
  }
  return Object.freeze({ disable, [Symbol.dispose]: disable })
}

function start(options: InstrumentTokenwellOptions): Active {
  const { meterProvider, tracerProvider } = options
  const tracer = () => (tracerProvider ?? trace.getTracerProvider()).getTracer(scope)
  const metered = meterProvider === undefined ? followGlobal() : measure(meterProvider)
  const ends = [metered, listen(spanListeners(tracer))]
  const made = { options, users: 0, stop: () => ends.forEach((end) => end()) }
  active.push(made)
  return made
}

function measure(provider: MeterProvider): () => void {
  const made = new Metrics(provider.getMeter(scope))
  const end = listen(made.listeners)
  return () => {
    end()
    made.stop()
  }
}

/** The global provider is another one once somebody has set it, and instruments of the first measure nothing. */
function followGlobal(): () => void {
  let provider = metrics.getMeterProvider()
  let end = measure(provider)
  // Before every wait for a token, which no warm call has.
  const look = () => {
    const now = metrics.getMeterProvider()
    if (now === provider) return
    provider = now
    end()
    end = measure(now)
  }
  const listeners: Listeners = { 'tokenwell:token.renewal': { start: look, asyncEnd: () => {} } }
  const stopLooking = listen(listeners)
  return () => {
    stopLooking()
    end()
  }
}
