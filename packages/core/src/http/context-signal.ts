import type { MergedContext } from '../context/call-context.ts'
import type { Ending } from '../context/hang-up.ts'
import { safeMethods } from './safe-methods.ts'

/** What ends calls of this context and method before their time. */
export function endingFor(method: string, context: MergedContext): Ending | undefined {
  return endsWithContext(method, context) ? context.ending : undefined
}

/** The same as a signal, which costs more. */
export function signalFor(method: string, context: MergedContext | undefined): AbortSignal | undefined {
  return context !== undefined && endsWithContext(method, context) ? context.signal : undefined
}

function endsWithContext(method: string, { signalAborts }: MergedContext): boolean {
  return signalAborts !== 'safe-methods' || safeMethods.has(method.toUpperCase())
}
