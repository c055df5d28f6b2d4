import { channel } from 'node:diagnostics_channel'
import type { UnreadableReason } from './sealing.ts'

/** What is published on the diagnostics channel `tokenwell:redis`. Never a key, a token, or what Redis said. */
export type RedisCacheEvent =
  /** An operation failed; Redis is left alone for a while. */
  | {
      readonly type: 'failed'
      readonly operation: string
      readonly reason: 'timeout' | 'not connected' | 'error'
      readonly pauseMs: number
    }
  /** Redis answers again. */
  | { readonly type: 'resumed'; readonly operation: string }
  /** A record is there and counts as none: of another key or schema, cut short, or encrypted with an unknown key. */
  | { readonly type: 'unreadable'; readonly reason: UnreadableReason }
  /** A token was asked for before what Redis has, or before what Redis had was refused. It was not kept there. */
  | { readonly type: 'late' }

const events = channel('tokenwell:redis')

export function report(event: RedisCacheEvent): void {
  if (events.hasSubscribers) events.publish(event)
}
