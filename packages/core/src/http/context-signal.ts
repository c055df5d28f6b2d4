import type { MergedContext } from '../context/call-context.ts'
import type { Ending } from '../context/hang-up.ts'
import { safeMethods } from './safe-methods.ts'

/** What ends calls of this context and method before their time. */
export function endingFor(method: string, context: MergedContext): Ending | undefined {
  return endsWithContext(method, context) ? context.ending : undefined
}

/**
 * The signal that ends calls of this context and method, if it was given one: its own reason is what the reading of a body fails with.
 * A caller that hung up ends them too, and hears of nothing any more; a signal for each request would cost it 4 KB.
 */
export function signalFor(method: string, context: MergedContext | undefined): AbortSignal | undefined {
  const ending = context === undefined ? undefined : endingFor(method, context)
  return ending instanceof AbortSignal ? ending : undefined
}

function endsWithContext(method: string, { signalAborts }: MergedContext): boolean {
  return signalAborts !== 'safe-methods' || safeMethods.has(method.toUpperCase())
}
