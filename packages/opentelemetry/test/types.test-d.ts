import { metrics, trace } from '@opentelemetry/api'
import { MeterProvider } from '@opentelemetry/sdk-metrics'
import { TracerProvider } from '@opentelemetry/sdk-trace'
import { instrumentTokenwell, type TokenwellInstrumentation } from '../src/index.ts'

export const bare: TokenwellInstrumentation = instrumentTokenwell()
export const global: Disposable = instrumentTokenwell({
  meterProvider: metrics.getMeterProvider(),
  tracerProvider: trace.getTracerProvider(),
})
export const sdk = instrumentTokenwell({ meterProvider: new MeterProvider(), tracerProvider: new TracerProvider() })

// @ts-expect-error -- a meter is not its provider
instrumentTokenwell({ meterProvider: metrics.getMeter('x') })
// @ts-expect-error -- there is no such option
instrumentTokenwell({ meter: new MeterProvider() })
