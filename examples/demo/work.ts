import { driveService } from './drive-service.ts'
import type { Work } from './evidence.ts'
import { findUrl, type Example } from './start-example.ts'
import type { User } from './users.ts'
import { watchWorker } from './watch-worker.ts'

/** Has an example make its calls as soon as it is up. Rejects with an error that names the example. */
export async function work(example: Example, users: readonly User[], signal: AbortSignal): Promise<Work> {
  const { caller, child } = example
  try {
    if (caller.kind === 'worker') return { caller, ...(await watchWorker(child, signal)) }
    return { caller, ...(await driveService(await findUrl(example, signal), users, signal)) }
  } catch (error) {
    throw new Error(`${caller.name}: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
  }
}
