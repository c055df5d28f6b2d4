import { createHash } from 'node:crypto'

/** SHA-256 of a token in lower-case hex: names a token in records and to `revoke` without holding it. */
export function tokenHash(token: string): string {
  return createHash('sha256').update(token).digest('hex')
}
