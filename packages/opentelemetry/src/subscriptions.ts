import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { diag } from '@opentelemetry/api'
import type { TokenwellChannels } from '@tokenwell/core'

type Name = keyof TokenwellChannels
type PlainName =
  | 'tokenwell:token.hit'
  | 'tokenwell:cache.entries'
  | 'tokenwell:upstream.refused'
  | 'tokenwell:upstream.replay'
type TracingName = Exclude<Name, PlainName>

/** What is done with the events of core's channels. */
export type Listeners = { readonly [Plain in PlainName]?: (event: TokenwellChannels[Plain]) => void } & {
  readonly [Traced in TracingName]?: {
    readonly start?: (event: TokenwellChannels[Traced]) => void
    readonly asyncEnd: (event: TokenwellChannels[Traced]) => void
  }
}

/** Subscribes, and gives what ends that. */
export function listen(listeners: Listeners): () => void {
  const subscribed: (readonly [channel: string, listener: (message: unknown) => void])[] = []
  const add = (channel: string, listener: (event: never) => void) => {
    const careful = carefully(listener)
    subscribe(channel, careful)
    subscribed.push([channel, careful])
  }
  for (const [name, listener] of Object.entries(listeners)) {
    if (typeof listener === 'function') add(name, listener)
    else for (const [phase, one] of Object.entries(listener)) add(`tracing:${name}:${phase}`, one)
  }
  return () => {
    for (const [channel, listener] of subscribed) unsubscribe(channel, listener)
  }
}

// What a listener throws would end the process: whatever an SDK does wrong is no reason for that.
function carefully(listener: (event: never) => void): (message: unknown) => void {
  return (message) => {
    try {
      listener(message as never)
    } catch (error) {
      diag.error('@tokenwell/opentelemetry: an event was lost', error)
    }
  }
}
