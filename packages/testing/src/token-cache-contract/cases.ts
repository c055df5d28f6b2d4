import assert from 'node:assert/strict'

/** A cache with its types filled in, so that a case is about generations and values alone. */
export interface Subject {
  /** A key of the expected form; the same name gives the same key within a case. */
  key(name: string): string
  /** The entry itself. */
  get(key: string): Promise<object | undefined>
  /** Generation and value of the entry. */
  read(key: string): Promise<{ generation: string; value: string } | undefined>
  /** Value: `token-` and the generation, unless given. */
  set(key: string, generation: string, value?: string): Promise<void>
  delete(key: string, generation: string): Promise<boolean>
}

/** A rule and how to check it. */
export interface CaseBody {
  readonly name: string
  /** The bound that the cache is created with, if the rule needs one. */
  readonly maxEntries?: number
  readonly check: (cache: Subject) => Promise<void>
}

const oddNames = ['', ' ', 'a:b', '{a}b', 'a*', 'a/../b', '__proto__', 'line\nfeed', '"quoted"', '日本語', '\u{1F511}']

/** The rules for every cache. */
export const cases: readonly CaseBody[] = [
  {
    name: 'a key that was never set has no entry',
    check: async (cache) => {
      assert.equal(await cache.get(cache.key('a')), undefined)
    },
  },
  {
    name: 'an entry that was set comes back',
    check: async (cache) => {
      const key = cache.key('a')
      await cache.set(key, 'g1')
      assert.deepEqual(await cache.read(key), { generation: 'g1', value: 'token-g1' })
      assert.deepEqual(await cache.read(key), { generation: 'g1', value: 'token-g1' }, 'reading does not use it up')
    },
  },
  {
    name: 'an entry of one key is not seen under another',
    check: async (cache) => {
      await cache.set(cache.key('a'), 'g1')
      assert.equal(await cache.get(cache.key('b')), undefined)
      await cache.set(cache.key('b'), 'g2')
      assert.equal((await cache.read(cache.key('a')))?.generation, 'g1')
    },
  },
  {
    name: 'setting a key again replaces its entry',
    check: async (cache) => {
      const key = cache.key('a')
      await cache.set(key, 'g1')
      await cache.set(key, 'g2')
      assert.deepEqual(await cache.read(key), { generation: 'g2', value: 'token-g2' })
    },
  },
  {
    name: 'deleting with the generation of the entry removes it and says true',
    check: async (cache) => {
      const key = cache.key('a')
      await cache.set(key, 'g1')
      assert.equal(await cache.delete(key, 'g1'), true)
      assert.equal(await cache.get(key), undefined)
    },
  },
  {
    name: 'deleting with another generation keeps the entry and says false',
    check: async (cache) => {
      const key = cache.key('a')
      await cache.set(key, 'g1')
      assert.equal(await cache.delete(key, 'g2'), false)
      assert.equal((await cache.read(key))?.generation, 'g1')
    },
  },
  {
    name: 'deleting with the generation of a replaced entry keeps the newer one and says false',
    check: async (cache) => {
      const key = cache.key('a')
      await cache.set(key, 'g1')
      await cache.set(key, 'g2')
      assert.equal(await cache.delete(key, 'g1'), false)
      assert.equal((await cache.read(key))?.generation, 'g2')
    },
  },
  {
    name: 'deleting a key that was never set says false',
    check: async (cache) => {
      assert.equal(await cache.delete(cache.key('a'), 'g1'), false)
    },
  },
  {
    name: 'deleting a key again says false',
    check: async (cache) => {
      const key = cache.key('a')
      await cache.set(key, 'g1')
      await cache.delete(key, 'g1')
      assert.equal(await cache.delete(key, 'g1'), false)
    },
  },
  {
    name: 'of many deletions at once with the same generation exactly one says true',
    check: async (cache) => {
      const key = cache.key('a')
      await cache.set(key, 'g1')
      const removed = await Promise.all(Array.from({ length: 10 }, () => cache.delete(key, 'g1')))
      assert.equal(removed.filter(Boolean).length, 1)
    },
  },
  {
    name: 'deleting an entry leaves those of other keys, even with the same generation',
    check: async (cache) => {
      await cache.set(cache.key('a'), 'g1')
      await cache.set(cache.key('b'), 'g1')
      await cache.delete(cache.key('a'), 'g1')
      assert.equal((await cache.read(cache.key('b')))?.generation, 'g1')
    },
  },
  {
    name: 'a deleted key can be set again',
    check: async (cache) => {
      const key = cache.key('a')
      await cache.set(key, 'g1')
      await cache.delete(key, 'g1')
      await cache.set(key, 'g2')
      assert.equal((await cache.read(key))?.generation, 'g2')
    },
  },
  {
    name: 'an entry outlives any number of others within the bound',
    maxEntries: 20,
    check: async (cache) => {
      const keys = Array.from({ length: 20 }, (_, index) => cache.key(`key-${index}`))
      for (const [index, key] of keys.entries()) {
        await cache.set(key, `g${index}`)
        await cache.get(cache.key('never set'))
      }
      const found = await Promise.all(keys.map((key) => cache.read(key)))
      assert.deepEqual(
        found.map((entry) => entry?.generation),
        keys.map((_, index) => `g${index}`),
      )
    },
  },
  {
    name: 'a key may have any characters',
    check: async (cache) => {
      for (const name of oddNames) await cache.set(cache.key(name), 'g1', `token of ${name}`)
      for (const name of oddNames) assert.equal((await cache.read(cache.key(name)))?.value, `token of ${name}`)
    },
  },
  {
    name: 'a value comes back as it was, whatever its characters and even when empty',
    check: async (cache) => {
      const key = cache.key('a')
      for (const value of ['', ' ', 'a.b~c+d/e==', '"\\\n\u0000', 'a'.repeat(16_384)]) {
        await cache.set(key, 'g1', value)
        assert.equal((await cache.read(key))?.value, value)
      }
    },
  },
  {
    name: 'changing an entry that was handed out changes it for nobody else',
    check: async (cache) => {
      const key = cache.key('a')
      await cache.set(key, 'g1')
      const entry = await cache.get(key)
      assert.ok(entry)
      for (const property of Reflect.ownKeys(entry)) {
        Reflect.set(entry, property, 'changed')
        Reflect.deleteProperty(entry, property)
      }
      assert.deepEqual(await cache.read(key), { generation: 'g1', value: 'token-g1' })
    },
  },
]
