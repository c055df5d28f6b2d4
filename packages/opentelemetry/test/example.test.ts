import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { startServers } from '@tokenwell/adapter-suite'
import { expect, it, onTestFinished } from 'vitest'
import { parse } from './prometheus.ts'

it('the Fastify example shows its metrics when it is started with --metrics', async () => {
  await using servers = await startServers()
  const { clientId, secret } = servers.authorizationServer.clients.post
  const env = {
    PATH: process.env['PATH'],
    BILLING_URL: servers.api.url,
    ISSUER: servers.authorizationServer.issuer,
    JWKS_URI: servers.authorizationServer.jwksUri,
    AUDIENCE: 'https://orders.example.com',
    CLIENT_ID: clientId,
    CLIENT_SECRET: secret,
    PORT: '0',
    METRICS_PORT: '0',
  }
  const main = new URL('../../../examples/fastify/src/main.ts', import.meta.url).pathname
  const example = spawn(process.execPath, [main, '--metrics'], { env, stdio: ['ignore', 'pipe', 'inherit'] })
  onTestFinished(() => void example.kill('SIGKILL'))
  const urls: string[] = []
  for await (const line of createInterface(example.stdout)) {
    urls.push(/http\S+/.exec(line)?.[0] ?? '')
    if (urls.length === 2) break
  }
  const [orders = '', metrics = ''] = urls
  for (let index = 0; index < 3; index++) expect((await fetch(orders)).status).toBe(200)
  const series = parse(await (await fetch(metrics)).text())
  const count = (name: string, label: string, value: string) =>
    series.filter((one) => one.name === name && one.labels[label] === value).reduce((sum, one) => sum + one.value, 0)
  expect(count('tokenwell_token_renewals_total', 'tokenwell_renewal_reason', 'initial')).toBe(1)
  expect(count('tokenwell_token_request_duration_count', 'http_response_status_code', '200')).toBe(1)
  expect(
    count('tokenwell_token_remaining_lifetime_count', 'tokenwell_upstream_name', 'billing'),
  ).toBeGreaterThanOrEqual(3)
  const ended = once(example, 'exit')
  example.kill('SIGTERM')
  expect(await ended).toEqual([0, null])
})
