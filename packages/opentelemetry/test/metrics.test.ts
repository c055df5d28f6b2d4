import { channel, tracingChannel } from 'node:diagnostics_channel'
import { metrics } from '@opentelemetry/api'
import { memoryTokenCache, type MemoryTokenCache } from '@tokenwell/core'
import { tokenReply } from '@tokenwell/testing'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { instrumentTokenwell } from '../src/index.ts'
import { FakeMeterProvider } from './fake-meter.ts'
import { sharedCache, status, world } from './world.ts'

function measured(): FakeMeterProvider {
  const provider = new FakeMeterProvider()
  const instrumentation = instrumentTokenwell({ meterProvider: provider.asProvider })
  onTestFinished(() => instrumentation.disable())
  return provider
}

const billing = { 'tokenwell.upstream.name': 'billing' }

describe('metrics, without an SDK', () => {
  it('are these instruments, with these units and buckets', () => {
    const { instruments, scopes } = measured()
    expect(scopes).toEqual(['tokenwell'])
    const found = Object.fromEntries(
      [...instruments].map(([name, { kind, options }]) => [name, `${kind} ${options?.unit}`]),
    )
    expect(found).toEqual({
      'tokenwell.token.acquire.duration': 'histogram s',
      'tokenwell.token.request.duration': 'histogram s',
      'tokenwell.token.remaining_lifetime': 'histogram s',
      'tokenwell.lock.wait.duration': 'histogram s',
      'tokenwell.token.renewals': 'counter {renewal}',
      'tokenwell.upstream.replays': 'counter {replay}',
      'tokenwell.cache.operations': 'observable counter {operation}',
      'tokenwell.cache.entries': 'observable up-down counter {entry}',
    })
    for (const name of ['token.acquire', 'token.request', 'lock.wait']) {
      expect(instruments.get(`tokenwell.${name}.duration`)?.options?.advice?.explicitBucketBoundaries).toEqual([
        0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10,
      ])
    }
  })

  it('callers that wait for one request are a miss and coalesced, and later ones are hits', async () => {
    const provider = measured()
    const { billing: upstream, port } = await world()
    await Promise.all([status(upstream), status(upstream), status(upstream)])
    await status(upstream)
    const acquired = provider.collect('tokenwell.token.acquire.duration')
    expect(acquired.map(({ attributes }) => attributes)).toEqual(
      ['miss', 'coalesced', 'coalesced', 'hit_l1'].map((result) => ({ ...billing, 'tokenwell.cache.result': result })),
    )
    expect(acquired[0]?.value).toBeGreaterThan(0)
    expect(acquired[0]?.value).toBeLessThan(30)
    expect(provider.collect('tokenwell.token.request.duration').map(({ attributes }) => attributes)).toEqual([
      {
        ...billing,
        'tokenwell.grant_type': 'client_credentials',
        'server.address': '127.0.0.1',
        'server.port': port,
        'http.response.status_code': 200,
      },
    ])
    expect(provider.collect('tokenwell.token.renewals')).toEqual([
      { value: 1, attributes: { ...billing, 'tokenwell.renewal.reason': 'initial' } },
    ])
    const remaining = provider.collect('tokenwell.token.remaining_lifetime')
    expect(remaining.map(({ value, attributes }) => [Math.round(value), attributes])).toEqual(
      Array.from({ length: 4 }, () => [3600, billing]),
    )
    expect(provider.collect('tokenwell.cache.operations')).toEqual([
      {
        value: 3,
        attributes: {
          ...billing,
          'tokenwell.cache.tier': 'l1',
          'tokenwell.cache.operation': 'get',
          'tokenwell.cache.outcome': 'miss',
        },
      },
      {
        value: 1,
        attributes: {
          ...billing,
          'tokenwell.cache.tier': 'l1',
          'tokenwell.cache.operation': 'get',
          'tokenwell.cache.outcome': 'hit',
        },
      },
    ])
  })

  it('a failure has its type, and no remaining life', async () => {
    const provider = measured()
    const { billing: upstream } = await world({ status: 401, body: { error: 'invalid_client' } })
    await status(upstream).catch(() => {})
    await status(upstream).catch(() => {})
    const failed = { ...billing, 'error.type': 'invalid_client' }
    expect(provider.collect('tokenwell.token.acquire.duration').map(({ attributes }) => attributes)).toEqual([
      { ...failed, 'tokenwell.cache.result': 'miss' },
      { ...failed, 'tokenwell.cache.result': 'negative' },
    ])
    expect(provider.collect('tokenwell.token.renewals')).toEqual([
      { value: 1, attributes: { ...failed, 'tokenwell.renewal.reason': 'initial' } },
    ])
    expect(provider.collect('tokenwell.token.request.duration')[0]?.attributes).toMatchObject({
      'http.response.status_code': 401,
      'error.type': 'invalid_client',
    })
    expect(provider.collect('tokenwell.token.remaining_lifetime')).toEqual([])
  })

  it('a token of the shared cache is no renewal of this process', async () => {
    const cache = sharedCache()
    const { billing: first, server } = await world(undefined, undefined, { cache })
    await status(first)
    const provider = measured()
    const { billing: second } = await world(undefined, undefined, { cache, tokenEndpoint: server.url })
    await status(second)
    expect(server.requests).toHaveLength(1)
    expect(provider.collect('tokenwell.token.acquire.duration')[0]?.attributes).toMatchObject({
      'tokenwell.cache.result': 'hit_l2',
    })
    expect(provider.collect('tokenwell.token.renewals')).toEqual([])
    expect(provider.collect('tokenwell.cache.operations')).toContainEqual({
      value: 1,
      attributes: {
        ...billing,
        'tokenwell.cache.tier': 'l2',
        'tokenwell.cache.operation': 'get',
        'tokenwell.cache.outcome': 'hit',
      },
    })
  })

  it('a refused request that is sent again is a replay, by the outcome', async () => {
    const provider = measured()
    const { billing: upstream } = await world(undefined, (_request, index) => (index === 0 ? { status: 401 } : {}))
    expect(await status(upstream)).toBe(200)
    expect(provider.collect('tokenwell.upstream.replays')).toEqual([
      { value: 1, attributes: { ...billing, 'tokenwell.replay.reason': 'token', 'tokenwell.replay.outcome': 'sent' } },
    ])
  })

  it('waits for a lease are measured by their outcome', async () => {
    const provider = measured()
    const event = { upstream: 'billing', outcome: 'acquired' }
    const wait = tracingChannel('tokenwell:lease.wait')
    wait.start.publish(event)
    wait.asyncEnd.publish(event)
    const [point] = provider.collect('tokenwell.lock.wait.duration')
    expect(point?.attributes).toEqual({ ...billing, 'tokenwell.lock.outcome': 'acquired' })
    expect(point?.value).toBeGreaterThanOrEqual(0)
  })

  it('entries are those of all caches, without the ones that nobody holds any more', async () => {
    const provider = measured()
    const entry = (generation: string) => ({ token: { generation } }) as never
    const entries = () => provider.collect('tokenwell.cache.entries')[0]
    expect(entries()).toEqual({ value: 0, attributes: { 'tokenwell.cache.tier': 'l1' } })
    const kept = memoryTokenCache()
    kept.set('a', entry('1'))
    kept.set('b', entry('2'))
    const dropped: { cache?: MemoryTokenCache } = { cache: memoryTokenCache() }
    dropped.cache?.set('a', entry('1'))
    expect(entries()?.value).toBe(3)
    kept.delete('a', '1')
    expect(entries()?.value).toBe(2)
    delete dropped.cache
    await collected(() => entries()?.value === 1)
    expect(entries()?.value).toBe(1)
  })

  it('an SDK that throws fails no call', async () => {
    const provider = new FakeMeterProvider()
    const meter = provider.getMeter('x')
    Object.assign(meter, {
      createHistogram: () => ({
        record: () => {
          throw new Error('a bug')
        },
      }),
    })
    const instrumentation = instrumentTokenwell({ meterProvider: { getMeter: () => meter } })
    onTestFinished(() => instrumentation.disable())
    const { billing: upstream } = await world()
    expect(await status(upstream)).toBe(200)
    expect(await status(upstream)).toBe(200)
  })
})

describe('instrumentTokenwell', () => {
  it('called twice counts once, and goes on until both have been disabled', async () => {
    const provider = new FakeMeterProvider()
    const options = { meterProvider: provider.asProvider }
    const [first, second] = [instrumentTokenwell(options), instrumentTokenwell(options)]
    const { billing: upstream } = await world()
    const count = () => provider.collect('tokenwell.token.acquire.duration').length
    await status(upstream)
    expect(count()).toBe(1)
    first.disable()
    first.disable()
    await status(upstream)
    expect(count()).toBe(2)
    second[Symbol.dispose]()
    await status(upstream)
    expect(count()).toBe(2)
    expect(channel('tokenwell:token.hit').hasSubscribers).toBe(false)
    expect(tracingChannel('tokenwell:token.renewal').hasSubscribers).toBe(false)
    expect(provider.collect('tokenwell.cache.entries')).toEqual([])
  })

  it('may be called before the global provider is set', async () => {
    const instrumentation = instrumentTokenwell()
    onTestFinished(() => instrumentation.disable())
    const { billing: upstream } = await world(() => tokenReply())
    await status(upstream)
    const provider = new FakeMeterProvider()
    metrics.setGlobalMeterProvider(provider.asProvider)
    onTestFinished(() => metrics.disable())
    await upstream.tokens.get({ forceRenewal: true })
    await status(upstream)
    const results = provider
      .collect('tokenwell.token.acquire.duration')
      .map(({ attributes }) => attributes['tokenwell.cache.result'])
    expect(results).toEqual(['miss', 'hit_l1'])
  })

  it.each(['meterProvider', 'tracerProvider'])('refuses a %s that is none', (name) => {
    expect(() => instrumentTokenwell({ [name]: {} })).toThrow(`${name}: expected a`)
  })
})

/** Waits for the collector of garbage, which comes when it likes. */
async function collected(isDone: () => boolean): Promise<void> {
  const { setFlagsFromString } = await import('node:v8')
  const { runInNewContext } = await import('node:vm')
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  await vi.waitFor(() => {
    collect()
    if (!isDone()) throw new Error('not yet')
  }, 10_000)
}
