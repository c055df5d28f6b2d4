/** Not a test: a process of `kept-bytes.test.ts`, which prints how many bytes a token takes besides itself. */
import { Dispatcher } from 'undici'
import { clientCredentials, clientSecretBasic, createUpstream, memoryTokenCache } from '../../src/index.ts'

const tokenBytes = 1000
const tokens = 4000
let issued = 0

/** Answers token requests and calls alike, at once and without sockets; looks at what is sent as undici does. */
class InstantServer extends Dispatcher {
  override dispatch({ headers }: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    for (const value of Object.values((headers ?? {}) as Record<string, string>)) {
      if (/[^\t\x20-\x7e]/.test(value)) throw new Error('a header that cannot be sent')
    }
    const access_token = `token-${(issued += 1)}-`.padEnd(tokenBytes, 'x')
    const answer = JSON.stringify({ access_token, token_type: 'Bearer', expires_in: 3600 })
    const controller = { aborted: false, paused: false, reason: null, abort() {}, pause() {}, resume() {} }
    queueMicrotask(() => {
      handler.onRequestStart?.(controller, {})
      handler.onResponseStart?.(controller, 200, { 'content-type': 'application/json' }, 'OK')
      handler.onResponseData?.(controller, Buffer.from(answer))
      handler.onResponseEnd?.(controller, {})
    })
    return true
  }
}

const dispatcher = new InstantServer()
const upstream = createUpstream({
  baseUrl: 'https://api.example/v1',
  dispatcher,
  oauth: {
    tokenEndpoint: 'https://as.example/token',
    clientId: 'orders',
    clientAuth: clientSecretBasic('s3cret'),
    grant: clientCredentials({ parameters: ({ tenant }) => ({ tenant: tenant ?? '' }) }),
    cache: memoryTokenCache({ maxEntries: 100_000 }),
    dispatcher,
  },
})

async function callsFor(from: number, to: number): Promise<void> {
  for (let tenant = from; tenant < to; tenant++) {
    const { body } = await upstream.with({ tenant: String(tenant) }).request('/x')
    await body.dump()
  }
}

function heapUsed(): number {
  globalThis.gc?.()
  globalThis.gc?.()
  return process.memoryUsage().heapUsed
}

// What is kept for a thousand keys at most, however many tokens there are, is there by then.
await callsFor(0, 2000)
const before = heapUsed()
await callsFor(2000, 2000 + tokens)
const grown = heapUsed() - before
const kept = Array.from({ length: tokens }, (_, index) => upstream.tokens.peek({ tenant: String(2000 + index) }))
const found = kept.filter((token) => token !== undefined).length
console.log(JSON.stringify({ tokens: found, bytesPerToken: Math.round(grown / tokens) - tokenBytes }))
await upstream.close()
