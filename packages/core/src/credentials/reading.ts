import { createHmac, randomBytes } from 'node:crypto'
import type { ClientAuthAttempt } from '../oauth/client-auth.ts'

/** A credential as read for one attempt. */
export interface Reading<Value> {
  readonly value: Value
  /** Undefined for one that cannot change. */
  readonly version: string | undefined
}

/** Reads a credential. `fresh`: what it was a moment ago was refused, so look again. */
export type CredentialReader<Value> = (fresh: boolean) => Promise<Reading<Value>>

/** Was what would be read refused a moment ago? */
export function isSecondTry(attempt: ClientAuthAttempt | undefined): boolean {
  return attempt !== undefined && attempt.refused.size > 0
}

// Keyed, so that a version tells nobody anything of a secret that could be guessed.
const versionKey = randomBytes(32)

/** A version for a text: equal for equal texts, in this process. */
export function versionOf(text: string): string {
  return createHmac('sha256', versionKey).update(text).digest('base64url')
}
