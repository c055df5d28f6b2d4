/**
 * What telemetry costs a warm call. With the path of another build of core (its `dist/index.js`): that build beside this one, while
 * nobody listens. Without: this build while nobody listens, with a listener that does nothing, and with OpenTelemetry's SDK.
 */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { MeterProvider, MetricReader } from '@opentelemetry/sdk-metrics'
import * as core from '../packages/core/dist/index.js'
import { instrumentTokenwell } from '../packages/opentelemetry/dist/index.js'
import { compare, measuring, type Contender } from './compare.ts'
import { InstantApi, InstantTokenEndpoint } from './instant-server.ts'

const other = process.env['OTHER_BUILD']

async function upstreamOf({ createUpstream, clientSecretBasic }: typeof core): Promise<core.Upstream> {
  const upstream = createUpstream({
    name: 'billing',
    baseUrl: 'https://api.example/v1',
    oauth: {
      tokenEndpoint: 'https://as.example/token',
      clientId: 'orders',
      clientAuth: clientSecretBasic('s'),
      dispatcher: new InstantTokenEndpoint(),
    },
    dispatcher: new InstantApi(),
  })
  await upstream.tokens.get()
  return upstream
}

const peeks = 100

type Way = (name: string, bare: string, upstream: core.Upstream, more?: Partial<Contender>) => Contender

const requesting: Way = (name, bare, upstream, more) => {
  const call = async () => (await upstream.request('/x')).body.dump()
  return { ...more, name: `request, ${name}`, bare: `request, ${bare}`, call }
}

const peeking: Way = (name, bare, upstream, more) => {
  const call = async () => {
    for (let index = 0; index < peeks; index++) upstream.tokens.peek()
  }
  return { ...more, name: `peek(), ${name}`, bare: `peek(), ${bare}`, call }
}

/** Keeps what was measured, and is never asked. */
class Reader extends MetricReader {
  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}
}

async function main(): Promise<void> {
  const upstream = await upstreamOf(core)
  const all = other === undefined ? listeners(upstream) : await builds(upstream, other)
  console.log(await compare(all(requesting), { rounds: 61, calls: 2000 }))
  console.log(await compare(all(peeking), { rounds: 61, calls: 2000, each: peeks }))
  await upstream.close()
}

type All = (way: Way) => Contender[]

async function builds(upstream: core.Upstream, path: string): Promise<All> {
  const before = await upstreamOf((await import(path)) as typeof core)
  const again = await upstreamOf((await import(`${path}?again`)) as typeof core)
  return (way) => [
    way('other build', 'other build', before),
    way('this build', 'other build', upstream),
    way('other build again (noise)', 'other build', again),
  ]
}

function listeners(upstream: core.Upstream): All {
  const doNothing = () => {}
  const listening = {
    before: () => subscribe('tokenwell:token.hit', doNothing),
    after: () => void unsubscribe('tokenwell:token.hit', doNothing),
  }
  const meterProvider = new MeterProvider({ readers: [new Reader()] })
  let stop: Disposable | undefined
  const measured = {
    before: () => void (stop = instrumentTokenwell({ meterProvider })),
    after: () => stop?.[Symbol.dispose](),
  }
  return (way) => [
    way('nobody listens', 'nobody listens', upstream),
    way('a listener', 'nobody listens', upstream, listening),
    way('metrics', 'nobody listens', upstream, measured),
    way('nobody listens again (noise)', 'nobody listens', upstream),
  ]
}

await measuring(import.meta.filename, main)
