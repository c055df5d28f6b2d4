import { tracingChannel } from 'node:diagnostics_channel'
import { clientCredentials, clientSecretBasic, createUpstreams, tokenExchange } from '@tokenwell/core'
import { createScriptedServer, tokenReply } from '@tokenwell/testing'
import { expect, it, onTestFinished } from 'vitest'
import { exported, type Series } from './prometheus.ts'
import { everything } from './world.ts'

/** Every metric with every label that it may have, and every value of those that have few. A number stands for any. */
const catalogue: Readonly<Record<string, readonly string[]>> = {
  tokenwell_token_acquire_duration: ['tokenwell_upstream_name', 'tokenwell_cache_result', 'error_type'],
  tokenwell_token_request_duration: [
    'tokenwell_upstream_name',
    'tokenwell_grant_type',
    'server_address',
    'server_port',
    'http_response_status_code',
    'error_type',
  ],
  tokenwell_token_renewals_total: ['tokenwell_upstream_name', 'tokenwell_renewal_reason', 'error_type'],
  tokenwell_token_remaining_lifetime: ['tokenwell_upstream_name'],
  tokenwell_cache_operations_total: [
    'tokenwell_upstream_name',
    'tokenwell_cache_tier',
    'tokenwell_cache_operation',
    'tokenwell_cache_outcome',
  ],
  tokenwell_cache_entries: ['tokenwell_cache_tier'],
  tokenwell_upstream_replays_total: ['tokenwell_upstream_name', 'tokenwell_replay_reason', 'tokenwell_replay_outcome'],
  tokenwell_lock_wait_duration: ['tokenwell_upstream_name', 'tokenwell_lock_outcome'],
}
const values: Readonly<Record<string, readonly string[]>> = {
  tokenwell_cache_result: ['hit_l1', 'hit_l2', 'miss', 'stale', 'coalesced', 'negative'],
  tokenwell_renewal_reason: ['initial', 'stale', 'expired', 'rejected', 'forced'],
  tokenwell_cache_tier: ['l1', 'l2'],
  tokenwell_cache_operation: ['get', 'set', 'delete', 'acquire', 'fence', 'release', 'pause'],
  tokenwell_cache_outcome: ['hit', 'miss', 'ok', 'timeout', 'error'],
  tokenwell_replay_reason: ['token', 'nonce'],
  tokenwell_replay_outcome: ['sent', 'skipped_body', 'skipped_policy', 'skipped_budget', 'skipped_token'],
  tokenwell_lock_outcome: ['acquired', 'found', 'busy', 'paused', 'unleased'],
}

const metricOf = ({ name }: Series) => name.replace(/_(?:bucket|sum|count)$/, '')

function labelsByMetric(series: readonly Series[]): Record<string, string[]> {
  const found: Record<string, Set<string>> = {}
  for (const one of series) {
    const labels = (found[metricOf(one)] ??= new Set())
    for (const label of Object.keys(one.labels)) if (label !== 'le' && label !== 'otel_scope_name') labels.add(label)
  }
  return Object.fromEntries(Object.entries(found).map(([name, labels]) => [name, [...labels].toSorted()]))
}

// regressions S46
it('the exporter has these metrics, with these labels and no others', async () => {
  const scrape = await exported()
  await everything()
  const lease = { upstream: 'billing', outcome: 'found' }
  tracingChannel('tokenwell:lease.wait').start.publish(lease)
  tracingChannel('tokenwell:lease.wait').asyncEnd.publish(lease)
  const series = await scrape()
  expect(labelsByMetric(series)).toEqual(
    Object.fromEntries(Object.entries(catalogue).map(([name, labels]) => [name, labels.toSorted()])),
  )
  for (const { labels } of series) {
    expect(labels['otel_scope_name']).toBe('tokenwell')
    for (const [label, allowed] of Object.entries(values)) {
      if (labels[label] !== undefined) expect(allowed).toContain(labels[label])
    }
  }
})

// regressions S46
it('callers, tenants, subjects, scopes, paths and the words of servers make no more series', async () => {
  const scrape = await exported()
  const server = await createScriptedServer((_request, index) =>
    index % 3 === 2 ? { status: 400, body: { error: `error_${'abcdefghij'[index % 10]}` } } : tokenReply(),
  )
  const api = await createScriptedServer((_request, index) => ({
    status: index % 4 === 0 ? 403 : 200,
    headers: { 'www-authenticate': `Bearer error="${index}", scope="s${index}"` },
  }))
  const own = { tokenEndpoint: server.url, clientId: 'orders', clientAuth: clientSecretBasic('s') }
  const ofCaller = tokenExchange({
    subjectToken: ({ subjectToken }) => subjectToken ?? '',
    subjectTokenType: 'urn:ietf:params:oauth:token-type:access_token',
  })
  const ofTenant = clientCredentials({ scope: ({ tenant }) => `tenant:${tenant}` })
  const upstreams = createUpstreams({
    caller: { baseUrl: api.url, oauth: { ...own, grant: ofCaller } },
    tenant: { baseUrl: api.url, oauth: ({ tenant }) => ({ ...own, clientId: tenant }) },
    scope: { baseUrl: api.url, oauth: { ...own, grant: ofTenant } },
  })
  onTestFinished(async () => void (await Promise.all([upstreams.close(), server.close(), api.close()])))
  const round = async (from: number, to: number) => {
    for (let index = from; index < to; index++) {
      const bound = upstreams.with({ tenant: `t${index}`, subjectToken: `subject-${index}` })
      for (const upstream of [bound.caller, bound.tenant, bound.scope]) {
        await upstream.fetch(`/path/${index}`).then(
          (response) => response.text(),
          () => {},
        )
      }
    }
  }
  await round(0, 12)
  const before = await scrape()
  await round(12, 48)
  const after = await scrape()
  const names = (series: readonly Series[]) =>
    series.map(({ name, labels }) => `${name} ${JSON.stringify(labels)}`).toSorted()
  expect(names(after)).toEqual(names(before))
  expect(after.length).toBeGreaterThan(50)
})
