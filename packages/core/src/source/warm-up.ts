import type { CallContext } from '../context/call-context.ts'
import type { TokenSource } from './token-source.ts'

/**
 * Gets a token before anybody needs it. One that depends on the context of calls is got for the context that is given, and
 * not at all without one: nobody knows for whom.
 */
export async function warmUp(source: TokenSource, context: CallContext | undefined): Promise<void> {
  if (context === undefined && source.contextual === true) return
  await source.get({ context })
}
