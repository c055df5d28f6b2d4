/** Not a test: a process of `kept-bytes.test.ts`, which prints how many bytes a token takes besides itself. */
import type { Dispatcher } from 'undici'
import { clientCredentials, clientSecretBasic, createUpstream, memoryTokenCache } from '../../src/index.ts'
import { InstantServer, tokenAnswer } from '../instant-server.ts'

const tokenBytes = 1000
const tokens = 4000
let issued = 0

/** Looks at what is sent as undici does, which makes one piece of it. */
class LookingServer extends InstantServer {
  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    for (const value of Object.values((options.headers ?? {}) as Record<string, string>)) {
      if (/[^\t\x20-\x7e]/.test(value)) throw new Error('a header that cannot be sent')
    }
    return super.dispatch(options, handler)
  }
}

const dispatcher = new LookingServer(() => tokenAnswer(`token-${(issued += 1)}-`.padEnd(tokenBytes, 'x')))
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
