import { compactDecrypt, CompactEncrypt } from 'jose'
import type { KeyRing } from './key-ring.ts'

/** What a text in Redis belongs to. Read elsewhere than it was written for, it is worth nothing. */
export interface Place {
  readonly key: string
  readonly schema: number
  readonly generation: string
}

/** Why a text cannot be believed, where that is known. */
export class UnreadableError extends Error {
  readonly reason: UnreadableReason

  constructor(reason: UnreadableReason) {
    super(reason)
    this.reason = reason
  }
}

/** `undecipherable` is what was changed, or encrypted with another key of the same id. */
export type UnreadableReason =
  | 'another schema'
  | 'of another place'
  | 'unknown key id'
  | 'undecipherable'
  | 'too long'
  | 'no entry'

/** Makes texts for Redis, and reads them. */
export interface Sealing {
  seal(text: string, place: Place): Promise<string>
  /** Rejects when it is not a text that was sealed for this place. */
  open(sealed: string, place: Place): Promise<string>
}

/**
 * AES-256-GCM by compact JWE (RFC 7516 §7.1, `dir` of RFC 7518 §4.5). The place stands in the protected header, which is
 * what GCM authenticates besides the text (RFC 7516 §5.1, step 14).
 */
export function encrypted(ring: KeyRing): Sealing {
  return {
    seal(text, { key, schema, generation }) {
      const header = { alg: 'dir', enc: 'A256GCM', kid: ring.current.id, key, schema, generation }
      return new CompactEncrypt(Buffer.from(text)).setProtectedHeader(header).encrypt(ring.current.key)
    },
    async open(sealed, { key, schema, generation }) {
      const { plaintext, protectedHeader: header } = await compactDecrypt(
        sealed,
        ({ kid }) => {
          const found = ring.find(kid)
          if (found === undefined) throw new UnreadableError('unknown key id')
          return found
        },
        { keyManagementAlgorithms: ['dir'], contentEncryptionAlgorithms: ['A256GCM'] },
      )
      if (header['key'] !== key || header['schema'] !== schema || header['generation'] !== generation) {
        throw new UnreadableError('of another place')
      }
      return Buffer.from(plaintext).toString()
    },
  }
}

/** As it is, for whoever reads along. */
export const inClearText: Sealing = {
  seal: async (text, place) => JSON.stringify({ text, ...place }),
  async open(sealed, { key, schema, generation }) {
    const found = JSON.parse(sealed) as Partial<Place & { text: string }>
    if (found.key !== key || found.schema !== schema || found.generation !== generation || found.text === undefined) {
      throw new UnreadableError('of another place')
    }
    return found.text
  },
}
