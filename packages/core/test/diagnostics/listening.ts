import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { onTestFinished } from 'vitest'
import type { TokenwellChannels } from '../../src/index.ts'

type Name = keyof TokenwellChannels
type Phase = 'start' | 'end' | 'asyncStart' | 'asyncEnd' | 'error' | 'published'

/** One event, as it was when it was published. */
export interface Told<Of extends Name = Name> {
  readonly channel: Of
  readonly phase: Phase
  /** The very object. */
  readonly event: TokenwellChannels[Of]
  /** Its members at that time. */
  readonly seen: TokenwellChannels[Of]
}

export const plainChannels = [
  'tokenwell:token.hit',
  'tokenwell:cache.entries',
  'tokenwell:upstream.refused',
  'tokenwell:upstream.replay',
] as const
export const tracingChannels = [
  'tokenwell:token.acquire',
  'tokenwell:token.renewal',
  'tokenwell:token.request',
  'tokenwell:cache.operation',
  'tokenwell:lease.wait',
] as const

/** What is published until the test is over. */
export class Listening {
  readonly told: Told[] = []

  constructor() {
    const listen = (name: string, channel: Name, phase: Phase) => {
      const listener = (event: unknown) =>
        void this.told.push({ channel, phase, event, seen: { ...(event as object) } } as Told)
      subscribe(name, listener)
      onTestFinished(() => void unsubscribe(name, listener))
    }
    for (const channel of plainChannels) listen(channel, channel, 'published')
    for (const channel of tracingChannels) {
      for (const phase of ['start', 'end', 'asyncStart', 'asyncEnd', 'error'] as const) {
        listen(`tracing:${channel}:${phase}`, channel, phase)
      }
    }
  }

  /** What was published on this channel, of tracing channels at the end. */
  of<Of extends Name>(channel: Of): TokenwellChannels[Of][] {
    return this.told
      .filter(
        (one): one is Told<Of> => one.channel === channel && (one.phase === 'published' || one.phase === 'asyncEnd'),
      )
      .map(({ seen }) => seen)
  }
}
