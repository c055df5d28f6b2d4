import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { createManualClock } from '@tokenwell/testing'
import { expect, it } from 'vitest'
import { tokenSourceFor } from '../../src/create-token-source.ts'
import { clientSecretBasic, memoryTokenCache, tokenExchange, type RenewalOptions } from '../../src/index.ts'
import { resolveOAuthOptions } from '../../src/options.ts'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

function heapBytes(): number {
  collectGarbage()
  return process.memoryUsage().heapUsed
}

/** A source whose authorization server answers at once, and refuses every tenth subject. */
function sourceOfMany(renewal: RenewalOptions = {}) {
  const clock = createManualClock()
  const cache = memoryTokenCache()
  const headers = new Headers({ 'content-type': 'application/json' })
  let exchanges = 0
  const exchange = async ({ body = '' }: { body?: string | undefined }) => {
    exchanges += 1
    const subject = new URLSearchParams(body).get('subject_token') ?? ''
    if (subject.endsWith('7')) return { status: 400, headers, body: JSON.stringify({ error: 'invalid_grant' }) }
    const answer = { access_token: `for-${subject}`, token_type: 'Bearer', expires_in: 3600 }
    return { status: 200, headers, body: JSON.stringify(answer) }
  }
  const source = tokenSourceFor(
    resolveOAuthOptions(
      {
        tokenEndpoint: 'https://as.example/token',
        clientId: 'orders',
        clientAuth: clientSecretBasic('s3cret'),
        grant: tokenExchange({ subjectToken: ({ subjectToken }) => subjectToken }),
        cache,
        renewal,
        clock,
      },
      '',
    ),
    undefined,
    { exchange, close: async () => {} },
  )
  const serve = async (from: number, to: number) => {
    for (let index = from; index < to; index += 1) {
      const subjectToken = `subject-${index}`
      const token = await source.get({ context: Object.freeze({ subjectToken }) }).catch(() => undefined)
      if (token?.value !== (subjectToken.endsWith('7') ? undefined : `for-${subjectToken}`)) expect.fail(subjectToken)
    }
  }
  return { source, clock, cache, serve, exchanges: () => exchanges }
}

// regressions S43, J6
it('a hundred thousand callers, some of them refused, take the room of a thousand and one timer', async () => {
  const { source, clock, cache, serve, exchanges } = sourceOfMany()
  // Until every map is full.
  await serve(0, 12_000)
  const before = heapBytes()
  await serve(12_000, 100_000)
  const grownBytes = heapBytes() - before
  expect(exchanges()).toBe(100_000)
  // About 1 MiB is measured; 88,000 entries that are kept would be more than 50.
  expect(grownBytes).toBeLessThan(4 * 1024 * 1024)
  expect(cache.sweep(() => false)).toBe(1000)
  expect(clock.pendingTimers).toBe(1)
  await clock.advance(3_660_000)
  expect([cache.sweep(() => false), clock.pendingTimers]).toEqual([0, 0])
  await source.close()
}, 240_000)

// regressions S43
it('tokens of callers that nobody waits for are kept warm for a thousand, and no more', async () => {
  const { source, clock, serve } = sourceOfMany({ keepWarm: true })
  await serve(0, 3000)
  expect(clock.pendingTimers).toBe(1001)
  await source.close()
  expect(clock.pendingTimers).toBe(0)
}, 60_000)
