import { spawnSync } from 'node:child_process'
import { availableParallelism } from 'node:os'

/**
 * Gives whoever is measured the first processor, and this process with all that it starts the others: else they push each other
 * from one to the next, and a call costs a tenth more or less from one second to the next. Returns how to put a process there;
 * undefined where there is one processor alone, or no `taskset`.
 */
export function keepApart(): ((pid: number | undefined) => void) | undefined {
  const last = availableParallelism() - 1
  if (last === 0 || !putOn(process.pid, `1-${last}`)) return undefined
  return (pid) => {
    if (pid !== undefined) putOn(pid, '0')
  }
}

function putOn(pid: number, processors: string): boolean {
  return spawnSync('taskset', ['--all-tasks', '--pid', '--cpu-list', processors, String(pid)]).status === 0
}
