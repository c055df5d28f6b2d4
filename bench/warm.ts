/**
 * A warm call beside bare undici with a fixed header. Over a dispatcher without sockets, what is left is the JavaScript of
 * the path itself: its time is steady, and so are its bytes.
 */
import { execFileSync } from 'node:child_process'
import { Dispatcher, fetch } from 'undici'
import { createAccessToken, createUpstream, type TokenSource } from '../packages/core/dist/index.js'
import { percentile, round, table } from './figures.ts'

const rounds = 41
const calls = 2000

/** Answers every call at once. */
class InstantApi extends Dispatcher {
  override dispatch(_options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    const controller = { aborted: false, paused: false, reason: null, abort() {}, pause() {}, resume() {} }
    queueMicrotask(() => {
      handler.onRequestStart?.(controller, {})
      handler.onResponseStart?.(controller, 200, { 'content-type': 'application/json', 'content-length': '2' }, 'OK')
      handler.onResponseData?.(controller, Buffer.from('{}'))
      handler.onResponseEnd?.(controller, {})
    })
    return true
  }
}

async function main(): Promise<void> {
  const token = createAccessToken({
    value: 'x'.repeat(1000),
    tokenType: 'Bearer',
    expiresAt: Date.now() + 3_600_000,
    generation: 'g',
  })
  const source: TokenSource = {
    peek: () => token,
    get: async () => token,
    invalidate: () => false,
    close: async () => {},
  }
  const api = new InstantApi()
  const upstream = createUpstream({ baseUrl: 'https://api.example/v1', oauth: source, dispatcher: api })
  const never = createUpstream({ baseUrl: 'https://api.example/v1', oauth: source, dispatcher: api, replay: 'never' })
  const authorization = `Bearer ${token.value}`
  const options = { origin: 'https://api.example', path: '/v1/x', method: 'GET' } as const
  const dump = async ({ body }: Dispatcher.ResponseData) => body.dump()
  const contenders: Record<string, () => Promise<unknown>> = {
    'undici request': async () => dump(await api.request({ ...options, headers: { authorization } })),
    'upstream.request': async () => dump(await upstream.request('/x')),
    "upstream.request, replay: 'never'": async () => dump(await never.request('/x')),
    'upstream.dispatcher': async () => dump(await upstream.dispatcher.request(options)),
    'undici fetch': async () => {
      const response = await fetch('https://api.example/v1/x', { headers: { authorization }, dispatcher: api })
      return response.text()
    },
    'upstream.fetch': async () => (await upstream.fetch('/x')).text(),
    'undici request again (noise)': async () => dump(await api.request({ ...options, headers: { authorization } })),
  }
  const us = new Map<string, number[]>(Object.keys(contenders).map((name) => [name, []]))
  const bytes = new Map<string, number[]>(Object.keys(contenders).map((name) => [name, []]))
  for (let turn = 0; turn < rounds; turn++) {
    for (const [name, call] of Object.entries(contenders)) {
      globalThis.gc?.()
      const heap = process.memoryUsage().heapUsed
      const cpu = process.cpuUsage()
      for (let index = 0; index < calls; index++) await call()
      const { user, system } = process.cpuUsage(cpu)
      // The first rounds compile.
      if (turn < 8) continue
      us.get(name)?.push((user + system) / calls)
      bytes.get(name)?.push((process.memoryUsage().heapUsed - heap) / calls)
    }
  }
  const median = (of: Map<string, number[]>, name: string) => percentile(of.get(name) ?? [], 0.5)
  const rows = Object.keys(contenders).map((name) => {
    const base = name.includes('fetch') ? 'undici fetch' : 'undici request'
    const ratios = (us.get(name) ?? []).map((value, index) => value / (us.get(base)?.[index] ?? Number.NaN))
    return [
      name,
      round(median(us, name), 1),
      round(percentile(ratios, 0.5)),
      round(median(bytes, name), 0),
      round(median(bytes, name) - median(bytes, base), 0),
    ]
  })
  console.log(table([['call', 'CPU µs', '× bare', 'bytes', 'bytes more'], ...rows]))
  await Promise.all([upstream.close(), never.close()])
}

// Young space large enough that nothing is collected while bytes are counted.
if (process.execArgv.includes('--expose-gc')) await main()
else {
  const flags = ['--expose-gc', '--max-semi-space-size=256', '--min-semi-space-size=256']
  execFileSync(process.execPath, [...flags, import.meta.filename], { stdio: 'inherit' })
}
