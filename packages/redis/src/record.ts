import { createAccessToken, type CachedToken } from '@tokenwell/core'
import { UnreadableError, type Sealing } from './sealing.ts'

/** Changes whenever another version could misread what this one writes. */
export const schemaVersion = 1

// A token has 16 KiB at most, and some room for the rest of the record.
const maxLength = 65_536

/** The text of an entry, sealed. */
export function sealEntry(sealing: Sealing, key: string, { token, lifetime }: CachedToken): Promise<string> {
  const { value, tokenType, scope, generation } = token
  const { lifetimeMs, renewAfterMs, usableForMs } = lifetime
  const text = JSON.stringify({ value, tokenType, scope, lifetimeMs, renewAfterMs, usableForMs })
  return sealing.seal(text, { key, schema: schemaVersion, generation })
}

/** A record as Redis has it. */
export interface StoredRecord {
  readonly schema: string | undefined
  readonly generation: string | undefined
  readonly data: string | undefined
  readonly remainingMs: number
}

/** The entry of a record. Rejects when there is none that can be believed. */
export async function openEntry(sealing: Sealing, key: string, stored: StoredRecord): Promise<CachedToken> {
  const { schema, generation = '', data = '', remainingMs } = stored
  if (schema !== String(schemaVersion)) throw new UnreadableError('another schema')
  if (data.length > maxLength) throw new UnreadableError('too long')
  const fields = JSON.parse(await sealing.open(data, { key, schema: schemaVersion, generation })) as Fields
  const { value, tokenType, scope, lifetimeMs, renewAfterMs, usableForMs } = fields
  const texts = [value, tokenType, scope ?? '']
  const durations = [lifetimeMs, renewAfterMs, usableForMs]
  if (!texts.every((text) => typeof text === 'string') || !durations.every((ms) => Number.isFinite(ms) && ms > 0)) {
    throw new UnreadableError('no entry')
  }
  const age = lifetimeMs - remainingMs
  return {
    token: createAccessToken({ value, tokenType, scope, generation, expiresAt: Date.now() + remainingMs }),
    lifetime: {
      start: { wall: Date.now() - age, monotonic: performance.now() - age },
      lifetimeMs,
      renewAfterMs,
      usableForMs,
    },
    remainingMs,
  }
}

interface Fields {
  readonly value: string
  readonly tokenType: string
  readonly scope?: string
  readonly lifetimeMs: number
  readonly renewAfterMs: number
  readonly usableForMs: number
}
