import { boundedCases } from './bounded-cases.ts'
import { cases, type CaseBody } from './cases.ts'

/** A token cache as the contract sees it: what it keeps is opaque, and any answer may come at once or as a promise. */
export interface TokenCacheUnderTest<Entry> {
  get(key: string): Entry | undefined | Promise<Entry | undefined>
  set(key: string, entry: Entry): unknown
  /** Removes the entry only if it has this generation; says whether it did. */
  delete(key: string, generation: string): boolean | Promise<boolean>
  /** Called at the end of each case. */
  close?(): void | Promise<void>
}

/** What an entry is to be made of. */
export interface NewEntry {
  readonly generation: string
  /** The access token. */
  readonly value: string
  /** How long the entry must be kept at least, in milliseconds. */
  readonly lifetimeMs: number
}

/** What of an entry the contract compares. */
export interface EntryDescription {
  readonly generation: string
  readonly value: string
}

/** Options of `tokenCacheContract`. */
export interface TokenCacheContractOptions<Entry extends object> {
  /** Makes an empty cache, called once for each case; shared storage needs a namespace of its own each time. */
  readonly create: (options?: {
    readonly maxEntries?: number
  }) => TokenCacheUnderTest<Entry> | Promise<TokenCacheUnderTest<Entry>>
  readonly createEntry: (entry: NewEntry) => Entry
  readonly describe: (entry: Entry) => EntryDescription
  /** Turns a name into a key of the form that the cache expects. Default: the name itself. */
  readonly keyOf?: (name: string) => string
  /** Whether `create` honours `maxEntries` and drops entries that were neither read nor set again before those that were. Default: false. */
  readonly bounded?: boolean
}

/** One rule of the contract. */
export interface ContractCase {
  /** The rule as a sentence. */
  readonly name: string
  /** Rejects with an AssertionError if the cache breaks the rule, else with what the cache threw. */
  readonly run: () => Promise<void>
}

/**
 * What every token cache must do, in memory or shared, as cases for any test runner to loop over.
 * Does not cover expiry, encryption, or what happens when the storage fails.
 */
export function tokenCacheContract<Entry extends object>(
  options: TokenCacheContractOptions<Entry>,
): readonly ContractCase[] {
  const { create, createEntry, describe, keyOf = (name) => name, bounded = false } = options
  const all: readonly CaseBody[] = bounded ? [...cases, ...boundedCases] : cases

  return all.map(({ name, maxEntries, check }) => ({
    name,
    run: async () => {
      const cache = await create(maxEntries === undefined ? undefined : { maxEntries })
      const entry = (generation: string, value = `token-${generation}`): Entry =>
        createEntry({ generation, value, lifetimeMs: 600_000 })
      try {
        await check({
          key: keyOf,
          get: async (key) => cache.get(key),
          read: async (key) => {
            const found = await cache.get(key)
            return found === undefined ? undefined : pick(describe(found))
          },
          set: async (key, generation, value) => {
            await cache.set(key, entry(generation, value))
          },
          delete: async (key, generation) => cache.delete(key, generation),
        })
      } finally {
        await cache.close?.()
      }
    },
  }))
}

function pick({ generation, value }: EntryDescription): EntryDescription {
  return { generation, value }
}
