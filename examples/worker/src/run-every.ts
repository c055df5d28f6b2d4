import { setTimeout as pause } from 'node:timers/promises'

/**
 * Runs `job` at once and then every `intervalMs`, until `signal` aborts; the run that is under way by then is waited for.
 * Runs never overlap: where one takes longer, those that were due meanwhile are left out. A run that fails is told to
 * `onError`, and the next one comes all the same.
 */
export async function runEvery(
  intervalMs: number,
  job: () => Promise<void>,
  { signal, onError }: { signal: AbortSignal; onError: (error: unknown) => void },
): Promise<void> {
  let due = performance.now()
  while (!signal.aborted) {
    await job().catch(onError)
    const now = performance.now()
    // A timer may fire a little early: then what is due next is still one interval later.
    due += intervalMs * Math.max(1, Math.ceil((now - due) / intervalMs))
    // Rejects when the signal aborts, which the loop sees for itself.
    await pause(due - now, undefined, { signal }).catch(() => {})
  }
}
