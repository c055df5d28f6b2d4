import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus'
import { MeterProvider } from '@opentelemetry/sdk-metrics'
import { instrumentTokenwell } from '@tokenwell/opentelemetry'

/** Measures all upstreams from now on, and shows that to Prometheus at an address of its own, which callers cannot reach. */
export async function serveMetrics(host: string, port: number): Promise<{ url: string; close(): Promise<void> }> {
  const exporter = new PrometheusExporter({ preventServerStart: true })
  const meterProvider = new MeterProvider({ readers: [exporter] })
  const instrumentation = instrumentTokenwell({ meterProvider })
  const server = createServer((request, response) => exporter.getMetricsRequestHandler(request, response))
  server.listen(port, host)
  await once(server, 'listening')
  return {
    url: `http://${host}:${(server.address() as AddressInfo).port}/metrics`,
    async close() {
      instrumentation.disable()
      server.close()
      server.closeAllConnections()
      await meterProvider.shutdown()
    },
  }
}
