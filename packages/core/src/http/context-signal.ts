import type { CallContext } from '../context/call-context.ts'
import { safeMethods } from './safe-methods.ts'

/** The signal of the context, if it ends calls of this method. */
export function signalFor(method: string, context: CallContext | undefined): AbortSignal | undefined {
  if (context?.signalAborts === 'safe-methods' && !safeMethods.has(method.toUpperCase())) return undefined
  return context?.signal
}
