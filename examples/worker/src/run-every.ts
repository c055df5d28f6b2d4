import { setTimeout as pause } from 'node:timers/promises'

/**
 * Runs `job` at once and again after each pause, until `signal` aborts; the run that is under way by then is waited for.
 * Runs never overlap, and none is made up for. A run that fails is told to `onError`, and the next one comes all the same.
 */
export async function runEvery(
  intervalMs: number,
  job: () => Promise<void>,
  { signal, onError }: { signal: AbortSignal; onError: (error: unknown) => void },
): Promise<void> {
  while (!signal.aborted) {
    await job().catch(onError)
    // Rejects when the signal aborts, which the loop sees for itself.
    await pause(intervalMs, undefined, { signal }).catch(() => {})
  }
}
