import { describe, expect, test } from 'vitest'

import { tokenCacheContract, type EntryDescription, type TokenCacheUnderTest } from '../src/index.ts'
import { brokenCaches, ToyCache, type CreateOptions, type Entry } from './toy-caches.ts'

const contractFor = (create: (options?: CreateOptions) => TokenCacheUnderTest<Entry>) =>
  tokenCacheContract<Entry>({
    create,
    createEntry: ({ generation, value }) => ({ generation, value }),
    describe: (entry) => entry,
    bounded: true,
  })

describe('a cache over a Map keeps the contract', () => {
  test.each(contractFor((options) => new ToyCache(options)))('$name', ({ run }) => run())
})

describe('an asynchronous cache that stores text keeps the contract', () => {
  const create = (): TokenCacheUnderTest<EntryDescription> => {
    const texts = new Map<string, string>()
    const read = async (key: string) => {
      const text = texts.get(key)
      return text === undefined ? undefined : (JSON.parse(text) as EntryDescription)
    }
    return {
      get: read,
      set: async (key, entry) => void texts.set(key, JSON.stringify(entry)),
      delete: async (key, generation) => {
        const stored = texts.get(key)
        return stored?.includes(`"generation":"${generation}"`) === true && texts.delete(key)
      },
    }
  }
  const contract = tokenCacheContract({
    create,
    createEntry: ({ generation, value }) => ({ generation, value }),
    describe: (entry) => entry,
    keyOf: (name) => Buffer.from(name).toString('base64url'),
  })
  test.each(contract)('$name', ({ run }) => run())
})

describe.each(Object.entries(brokenCaches))('a cache %s', (_name, [Broken, rule]) => {
  test(`breaks the rule: ${rule}`, async () => {
    const found = contractFor((options) => new Broken(options)).find(({ name }) => name === rule)
    await expect(found?.run()).rejects.toThrow(expect.objectContaining({ code: 'ERR_ASSERTION' }))
  })
})

test('the rules of a bound are left out for a cache without one', () => {
  const [bounded, unbounded] = [true, false].map((flag) =>
    tokenCacheContract<Entry>({
      create: () => new ToyCache(),
      createEntry: (entry) => entry,
      describe: (entry) => entry,
      bounded: flag,
    }).map(({ name }) => name),
  )
  expect(bounded).toEqual(expect.arrayContaining(unbounded ?? []))
  expect(bounded?.length).toBeGreaterThan(unbounded?.length ?? 0)
  expect(new Set(bounded).size).toBe(bounded?.length)
})

test('every cache is closed, also after a rule that it breaks', async () => {
  let [created, closed] = [0, 0]
  const contract = tokenCacheContract<Entry>({
    create: () => {
      created += 1
      return { get: () => undefined, set: () => {}, delete: () => false, close: async () => void (closed += 1) }
    },
    createEntry: (entry) => entry,
    describe: (entry) => entry,
  })
  const results = await Promise.allSettled(contract.map(({ run }) => run()))
  expect(new Set(results.map(({ status }) => status))).toEqual(new Set(['fulfilled', 'rejected']))
  expect([created, closed]).toEqual([contract.length, contract.length])
})
