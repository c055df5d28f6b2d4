import assert from 'node:assert/strict'

import type { CaseBody, Subject } from './cases.ts'

/** The rules for a cache that holds no more than `maxEntries`. */
export const boundedCases: readonly CaseBody[] = [
  {
    name: 'one entry too many drops the entry that was set first',
    maxEntries: 2,
    check: async (cache) => {
      await setAll(cache, ['a', 'b', 'c'])
      assert.deepEqual(await present(cache, ['a', 'b', 'c']), ['b', 'c'])
    },
  },
  {
    name: 'an entry that was read outlives one that was not',
    maxEntries: 2,
    check: async (cache) => {
      await setAll(cache, ['a', 'b'])
      await cache.get(cache.key('a'))
      await setAll(cache, ['c'])
      assert.deepEqual(await present(cache, ['a', 'b', 'c']), ['a', 'c'])
    },
  },
  {
    name: 'an entry that was set again outlives one that was not',
    maxEntries: 2,
    check: async (cache) => {
      await setAll(cache, ['a', 'b', 'a', 'c'])
      assert.deepEqual(await present(cache, ['a', 'b', 'c']), ['a', 'c'])
    },
  },
  {
    name: 'replacing an entry takes no more room',
    maxEntries: 2,
    check: async (cache) => {
      await setAll(cache, ['a', 'b', 'b', 'b'])
      assert.deepEqual(await present(cache, ['a', 'b']), ['a', 'b'])
    },
  },
  {
    name: 'a deleted entry takes no room',
    maxEntries: 2,
    check: async (cache) => {
      await setAll(cache, ['a', 'b'])
      await cache.delete(cache.key('b'), 'g1')
      await setAll(cache, ['c'])
      assert.deepEqual(await present(cache, ['a', 'b', 'c']), ['a', 'c'])
    },
  },
]

async function setAll(cache: Subject, names: readonly string[]): Promise<void> {
  for (const name of names) await cache.set(cache.key(name), 'g1')
}

async function present(cache: Subject, names: readonly string[]): Promise<string[]> {
  const found: string[] = []
  for (const name of names) if ((await cache.get(cache.key(name))) !== undefined) found.push(name)
  return found
}
