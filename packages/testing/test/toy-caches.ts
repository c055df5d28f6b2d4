import type { TokenCacheUnderTest } from '../src/index.ts'

export interface Entry {
  generation: string
  value: string
}

export interface CreateOptions {
  maxEntries?: number
}

/** Keeps the contract. */
export class ToyCache implements TokenCacheUnderTest<Entry> {
  protected readonly entries = new Map<string, Entry>()
  protected readonly maxEntries: number
  constructor({ maxEntries = Infinity }: CreateOptions = {}) {
    this.maxEntries = maxEntries
  }
  get(key: string): Entry | undefined | Promise<Entry | undefined> {
    const entry = this.entries.get(key)
    if (entry !== undefined) this.place(key, entry)
    return entry
  }
  set(key: string, entry: Entry): void | Promise<void> {
    this.place(key, Object.freeze({ ...entry }))
    const [oldest] = this.entries.keys()
    if (this.entries.size > this.maxEntries && oldest !== undefined) this.entries.delete(oldest)
  }
  delete(key: string, generation: string): boolean | Promise<boolean> {
    return this.entries.get(key)?.generation === generation && this.entries.delete(key)
  }
  protected place(key: string, entry: Entry): void {
    this.entries.delete(key)
    this.entries.set(key, entry)
  }
}

/** Caches that break one rule each, and that rule. */
export const brokenCaches: Record<string, [typeof ToyCache, rule: string]> = {
  'whose delete ignores the generation': [
    class extends ToyCache {
      override delete(key: string) {
        return this.entries.delete(key)
      }
    },
    'deleting with another generation keeps the entry and says false',
  ],
  'whose delete compares before it waits': [
    class extends ToyCache {
      override async delete(key: string, generation: string) {
        if (this.entries.get(key)?.generation !== generation) return false
        await Promise.resolve()
        this.entries.delete(key)
        return true
      }
    },
    'of many deletions at once with the same generation exactly one says true',
  ],
  'whose delete always says true': [
    class extends ToyCache {
      override delete(key: string, generation: string) {
        void super.delete(key, generation)
        return true
      }
    },
    'deleting a key that was never set says false',
  ],
  'that deletes nothing': [
    class extends ToyCache {
      override delete(key: string, generation: string) {
        return this.entries.get(key)?.generation === generation
      }
    },
    'deleting with the generation of the entry removes it and says true',
  ],
  'that clears everything when it deletes': [
    class extends ToyCache {
      override delete(key: string, generation: string) {
        const found = this.entries.get(key)?.generation === generation
        if (found) this.entries.clear()
        return found
      }
    },
    'deleting an entry leaves those of other keys, even with the same generation',
  ],
  'that remembers what was deleted': [
    class extends ToyCache {
      readonly deleted = new Set<string>()
      override set(key: string, entry: Entry) {
        if (!this.deleted.has(key)) void super.set(key, entry)
      }
      override delete(key: string, generation: string) {
        this.deleted.add(key)
        return super.delete(key, generation)
      }
    },
    'a deleted key can be set again',
  ],
  'that keeps the first entry': [
    class extends ToyCache {
      override set(key: string, entry: Entry) {
        if (!this.entries.has(key)) void super.set(key, entry)
      }
    },
    'setting a key again replaces its entry',
  ],
  'that uses an entry up by reading it': [
    class extends ToyCache {
      override get(key: string) {
        const entry = this.entries.get(key)
        this.entries.delete(key)
        return entry
      }
    },
    'an entry that was set comes back',
  ],
  'that has one entry for all keys': [
    class extends ToyCache {
      override get() {
        return super.get('the key')
      }
      override set(_key: string, entry: Entry) {
        return super.set('the key', entry)
      }
    },
    'an entry of one key is not seen under another',
  ],
  'that makes up entries': [
    class extends ToyCache {
      override get(key: string) {
        return super.get(key) ?? { generation: '', value: '' }
      }
    },
    'a key that was never set has no entry',
  ],
  'that drops characters of keys': [
    class extends ToyCache {
      override get(key: string) {
        return super.get(key.replaceAll(/[^ -~]/g, ''))
      }
      override set(key: string, entry: Entry) {
        return super.set(key.replaceAll(/[^ -~]/g, ''), entry)
      }
    },
    'a key may have any characters',
  ],
  'that trims values': [
    class extends ToyCache {
      override set(key: string, entry: Entry) {
        return super.set(key, { ...entry, value: entry.value.trim() })
      }
    },
    'a value comes back as it was, whatever its characters and even when empty',
  ],
  'that hands out what it keeps': [
    class extends ToyCache {
      override set(key: string, entry: Entry) {
        this.place(key, entry)
      }
    },
    'changing an entry that was handed out changes it for nobody else',
  ],
  'that holds one entry less than allowed': [
    class extends ToyCache {
      constructor({ maxEntries = Infinity }: CreateOptions = {}) {
        super({ maxEntries: maxEntries - 1 })
      }
    },
    'an entry outlives any number of others within the bound',
  ],
  'without a bound': [
    class extends ToyCache {
      protected override readonly maxEntries = Infinity
    },
    'one entry too many drops the entry that was set first',
  ],
  'that drops the oldest however often it is read': [
    class extends ToyCache {
      override get(key: string) {
        return this.entries.get(key)
      }
    },
    'an entry that was read outlives one that was not',
  ],
  'that drops the oldest however often it is set': [
    class extends ToyCache {
      protected override place(key: string, entry: Entry) {
        this.entries.set(key, entry)
      }
    },
    'an entry that was set again outlives one that was not',
  ],
}
