import { driveService } from './drive-service.ts'
import type { Call } from './evidence.ts'
import { findUrl, type Example } from './start-example.ts'
import { watchWorker } from './watch-worker.ts'

/** Has an example make its calls as soon as it is up. Rejects with an error that names the example. */
export async function work(example: Example, signal: AbortSignal): Promise<readonly Call[]> {
  try {
    if (example.caller.kind === 'worker') return await watchWorker(example.child, signal)
    return await driveService(await findUrl(example, signal), signal)
  } catch (error) {
    throw new Error(`${example.caller.name}: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    })
  }
}
