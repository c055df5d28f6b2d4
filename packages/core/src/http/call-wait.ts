import type { Dispatcher } from 'undici'
import type { CallContext } from '../context/call-context.ts'
import { CallHandler } from './call-handler.ts'

type Request = Dispatcher.DispatchOptions
type Handler = Dispatcher.DispatchHandler

/** That of calls through an upstream; the bare interceptor knows none. */
export function contextOf(handler: Handler): CallContext | undefined {
  return handler instanceof CallHandler ? handler.context : undefined
}

/** What ends a wait for a token, and whom it is for. */
export interface Wait {
  readonly signal?: AbortSignal
  readonly context?: CallContext | undefined
}

/** That of a call. */
export function waitOf(request: Request, handler: Handler): Wait {
  const signals = [handler instanceof CallHandler ? handler.signal : undefined, signalOf(request)].filter(
    (signal) => signal !== undefined,
  )
  const [first] = signals
  const context = contextOf(handler)
  return first === undefined
    ? { context }
    : { context, signal: signals.length === 1 ? first : AbortSignal.any(signals) }
}

function signalOf(request: Request): AbortSignal | undefined {
  const { signal } = request as { signal?: unknown }
  if (signal instanceof AbortSignal) return signal
  // undici takes an event emitter too.
  const emitter = signal as { once?: (event: 'abort', listener: () => void) => void } | null | undefined
  if (typeof emitter?.once !== 'function') return undefined
  const controller = new AbortController()
  emitter.once('abort', () => controller.abort())
  return controller.signal
}
