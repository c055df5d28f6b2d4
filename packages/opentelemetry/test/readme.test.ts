import { readFile } from 'node:fs/promises'
import { runReadme, startServers } from '@tokenwell/adapter-suite'
import type { Upstreams } from '@tokenwell/core'
import type { MeterProvider } from '@opentelemetry/sdk-metrics'
import { expect, test, vi } from 'vitest'
import { names } from '../src/attributes.ts'
import type { TokenwellInstrumentation } from '../src/index.ts'
import { FakeMeterProvider } from './fake-meter.ts'
import { instrumentTokenwell } from '../src/index.ts'
import { freePort, parse } from './prometheus.ts'

test("the README's application shows its metrics over HTTP", async () => {
  await using servers = await startServers()
  const { clientId, secret } = servers.authorizationServer.clients.basic
  vi.stubEnv('BILLING_SECRET', secret)
  const port = await freePort()
  const { upstreams, meterProvider, instrumentation } = (await runReadme(
    import.meta.url,
    'start',
    {
      "'@tokenwell/opentelemetry'": "'../src/index.ts'",
      'https://billing.example.com': servers.api.url,
      'https://login.example.com': servers.authorizationServer.issuer,
      "'orders'": JSON.stringify(clientId),
      '9464': `${port}, host: '127.0.0.1'`,
    },
    ['upstreams', 'meterProvider', 'instrumentation'],
  )) as { upstreams: Upstreams<'billing'>; meterProvider: MeterProvider; instrumentation: TokenwellInstrumentation }
  vi.unstubAllEnvs()
  expect((await upstreams.billing.fetch('/invoices/42')).status).toBe(200)
  const series = parse(await (await fetch(`http://127.0.0.1:${port}/metrics`)).text())
  expect(series).toContainEqual(
    expect.objectContaining({ name: 'tokenwell_token_renewals_total', value: 1, labels: expect.anything() as object }),
  )
  instrumentation.disable()
  await Promise.all([upstreams.close(), meterProvider.shutdown()])
})

test('the README tells of every metric and every attribute, and of no other', async () => {
  const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8')
  const provider = new FakeMeterProvider()
  instrumentTokenwell({ meterProvider: provider.asProvider }).disable()
  const rows = [...readme.matchAll(/^\| `(tokenwell\.[\w.]+)` *\|/gm)].map(([, name = '']) => name)
  const spans = ['tokenwell.token.acquire', 'tokenwell.token.renewal']
  const documented = rows.filter((name) => !spans.includes(name) && !Object.values<string>(names).includes(name))
  expect(documented.toSorted()).toEqual([...provider.instruments.keys()].toSorted())
  for (const name of Object.values(names)) expect(readme).toContain(`\`${name}\``)
})
