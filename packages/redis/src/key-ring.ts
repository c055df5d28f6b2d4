import { hash } from 'node:crypto'

/** A key of 256 bits: its bytes, or these in base64url or base64. */
export type EncryptionKey = string | Uint8Array

/** Keys by their ids: the first encrypts, all decrypt. */
export interface KeyRing {
  readonly current: { readonly id: string; readonly key: Uint8Array }
  find(id: unknown): Uint8Array | undefined
}

/** Reads keys. Throws a `TypeError` that tells none of them. */
export function createKeyRing(keys: readonly EncryptionKey[]): KeyRing {
  const ring = new Map<string, Uint8Array>()
  for (const [index, given] of keys.entries()) {
    const key = typeof given === 'string' ? bytesOf(given) : Uint8Array.from(given ?? [])
    if (key.length !== 32) {
      throw new TypeError(`redisTokenCache: encryptionKeys[${index}]: expected 32 bytes, as they are or in base64url`)
    }
    // Random bytes are not found again from a hash of them.
    ring.set(hash('sha256', Buffer.concat([Buffer.from('tokenwell key id\0'), key]), 'base64url').slice(0, 16), key)
  }
  const [current] = ring
  if (current === undefined) throw new TypeError('redisTokenCache: encryptionKeys: expected at least one key')
  const [id, key] = current
  return { current: { id, key }, find: (wanted) => (typeof wanted === 'string' ? ring.get(wanted) : undefined) }
}

// Decoding leaves out what is not of the alphabet, so that a password could pass for a key.
function bytesOf(text: string): Uint8Array {
  return /^[\w+/-]+=?$/.test(text) ? Buffer.from(text, 'base64url') : new Uint8Array()
}
