import { tokenCacheContract } from '@tokenwell/testing'
import { describe, expect, it } from 'vitest'
import { createAccessToken, memoryTokenCache } from '../../src/index.ts'

const start = { wall: Date.UTC(2026, 0, 1), monotonic: 0 }

describe('memoryTokenCache', () => {
  const contract = tokenCacheContract({
    create: (options) => memoryTokenCache(options),
    createEntry: ({ generation, value, lifetimeMs }) => ({
      token: createAccessToken({ value, tokenType: 'Bearer', expiresAt: start.wall + lifetimeMs, generation }),
      lifetime: { start, lifetimeMs, renewAfterMs: lifetimeMs * 0.8, usableForMs: lifetimeMs * 0.95 },
    }),
    describe: ({ token }) => ({ generation: token.generation, value: token.value }),
    bounded: true,
  })
  for (const { name, run } of contract) it(name, run)

  it.each([0, -1, 1.5, Number.NaN, '10', null])('refuses %j as its bound', (maxEntries) => {
    expect(() => memoryTokenCache({ maxEntries: maxEntries as number })).toThrow(
      new TypeError('memoryTokenCache: maxEntries: expected a whole number of at least 1'),
    )
  })

  // regressions S43, J6
  it('stays within its bound whatever is put into it', () => {
    const cache = memoryTokenCache({ maxEntries: 100 })
    const token = createAccessToken({ value: 'v', tokenType: 'Bearer', expiresAt: 0, generation: 'g' })
    const entry = { token, lifetime: { start, lifetimeMs: 1, renewAfterMs: 1, usableForMs: 1 } }
    for (let index = 0; index < 100_000; index++) cache.set(`key-${index}`, entry)
    const kept = Array.from({ length: 100_000 }, (_, index) => cache.get(`key-${index}`)).filter(
      (found) => found !== undefined,
    )
    expect(kept).toHaveLength(100)
  })
})
