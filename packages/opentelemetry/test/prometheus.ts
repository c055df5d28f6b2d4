import { createServer } from 'node:net'
import { once } from 'node:events'
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus'
import { MeterProvider } from '@opentelemetry/sdk-metrics'
import { onTestFinished } from 'vitest'
import { instrumentTokenwell } from '../src/index.ts'

/** One line of what Prometheus scrapes. */
export interface Series {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

/** OpenTelemetry's own SDK and exporter, with this package's metrics; gives what a scrape over HTTP has. */
export async function exported(): Promise<() => Promise<readonly Series[]>> {
  const port = await freePort()
  const exporter = new PrometheusExporter({ host: '127.0.0.1', port, preventServerStart: true })
  await exporter.startServer()
  const meterProvider = new MeterProvider({ readers: [exporter] })
  const instrumentation = instrumentTokenwell({ meterProvider })
  onTestFinished(async () => {
    instrumentation.disable()
    await meterProvider.shutdown()
  })
  return async () => {
    const answer = await fetch(`http://127.0.0.1:${port}/metrics`)
    if (answer.status !== 200) throw new Error(`the scrape was answered ${answer.status}`)
    return parse(await answer.text()).filter(({ name }) => name !== 'target_info')
  }
}

/** Reads Prometheus' text format. */
export function parse(text: string): Series[] {
  return text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const [, name = '', labels = '', value = ''] = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? []
      if (name === '') throw new Error(`cannot read ${line}`)
      const pairs = [...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, key = '', quoted = '']) => [key, quoted])
      return {
        name,
        labels: Object.fromEntries(pairs) as Record<string, string>,
        value: Number(value.replace('+Inf', 'Infinity')),
      }
    })
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}
