import { createKeyRing, type EncryptionKey } from './key-ring.ts'
import { encrypted, inClearText, type Sealing } from './sealing.ts'

/** Options of `redisTokenCache`. */
export interface RedisTokenCacheOptions {
  /**
   * Keys of 256 bits for AES-256-GCM, the same ones in every process: the first one encrypts, all of them decrypt. A new one
   * first goes behind the others, and to the front when every process knows it. Required unless `encryption` is `'none'`.
   */
  readonly encryptionKeys?: readonly EncryptionKey[] | undefined
  /** `'none'` puts tokens into Redis as they are: whoever reads it may use them. Not beside `encryptionKeys`. */
  readonly encryption?: 'none' | undefined
  /** What the names of all keys in Redis start with. Default `tokenwell`. Without `{` and `}`, at most 100 characters. */
  readonly prefix?: string | undefined
}

/** {@link RedisTokenCacheOptions} checked and with every default in place. */
export interface ResolvedOptions {
  readonly prefix: string
  readonly sealing: Sealing
}

const names = new Set(['encryptionKeys', 'encryption', 'prefix'])

/** Checks options. Throws a `TypeError` that names the wrong one and tells no key. */
export function resolveOptions(options: RedisTokenCacheOptions): ResolvedOptions {
  if (typeof options !== 'object' || options === null) throw wrong('options', 'expected an object')
  for (const name of Object.keys(options)) if (!names.has(name)) throw wrong(name, 'no such option')
  const { encryptionKeys, encryption, prefix = 'tokenwell' } = options
  if (typeof prefix !== 'string' || !/^[^{}]{1,100}$/.test(prefix)) {
    throw wrong('prefix', 'expected 1 to 100 characters without braces')
  }
  if (encryption !== undefined && encryption !== 'none') throw wrong('encryption', "expected 'none', or nothing")
  if (encryption === 'none') {
    if (encryptionKeys !== undefined) throw wrong('encryptionKeys', "not beside encryption: 'none'")
    return { prefix, sealing: inClearText }
  }
  if (!Array.isArray(encryptionKeys)) {
    throw wrong('encryptionKeys', "expected a list of keys; without any, write encryption: 'none'")
  }
  return { prefix, sealing: encrypted(createKeyRing(encryptionKeys)) }
}

function wrong(name: string, problem: string): TypeError {
  return new TypeError(`redisTokenCache: ${name}: ${problem}`)
}
