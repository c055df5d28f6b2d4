import type { Agent, Dispatcher } from 'undici'
import { authorize, type TokenSource } from '../../src/index.ts'
import type { Way } from './calls.ts'
import { agent, upstreamAt } from './support.ts'

/**
 * Where an interceptor of the user's can stand, seen from ours. The last one that `compose` is given runs first, so it is the
 * outermost.
 */
export const positions = [
  'inside',
  'outside',
  'outside, dispatcher given',
  'bare authorize, inside',
  'bare authorize, outside',
] as const

export type Position = (typeof positions)[number]

/** What is put in order: `interceptor` none, if there is only ours. */
export interface Parts {
  readonly interceptor: Dispatcher.DispatcherComposeInterceptor | undefined
  readonly source: TokenSource
  readonly origin: string
  /** Further origins that are allowed. */
  readonly origins?: readonly string[]
  /** Of the dispatcher underneath. */
  readonly agentOptions?: Agent.Options
}

/** Calls to `origin`, with the interceptor in its position. All is closed when the test is over. */
export function place(position: Position, parts: Parts): Way {
  const { interceptor, source, origin, origins = [], agentOptions = {} } = parts
  const given = interceptor === undefined ? [] : [interceptor]
  const ours = () => authorize({ source, origins: [origin, ...origins] })
  switch (position) {
    case 'bare authorize, inside':
      return { origin, dispatcher: agent(agentOptions).compose(...given, ours()) }
    case 'bare authorize, outside':
      return { origin, dispatcher: agent(agentOptions).compose(ours(), ...given) }
    case 'inside': {
      const upstream = upstreamAt(origin, {
        origins,
        retry: false,
        oauth: source,
        dispatcher: agent(agentOptions).compose(...given),
      })
      return { origin, dispatcher: upstream.dispatcher, upstream }
    }
    default: {
      const dispatcher = position === 'outside' ? undefined : agent(agentOptions)
      const upstream = upstreamAt(origin, { origins, retry: false, oauth: source, dispatcher })
      return { origin, dispatcher: upstream.dispatcher.compose(...given) }
    }
  }
}
