import { execFileSync } from 'node:child_process'
import { availableParallelism, cpus, loadavg, totalmem } from 'node:os'
import { versionOf } from './version-of.ts'

/** What figures were measured on. */
export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly memoryGiB: number
  readonly platform: string
  readonly node: string
  readonly undici: string
  readonly commit: string
  /** Processes that were running or waiting, on average over the five minutes before the run began. */
  readonly loadBefore: number
  /** Whether those were more than there are cores, so that the figures are not good for much. */
  readonly busy: boolean
}

function commit(): string {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8', cwd: import.meta.dirname }).trim()
  } catch {
    return 'unknown'
  }
}

/** This machine, now. */
export function thisMachine(): Machine {
  const cores = availableParallelism()
  const loadBefore = Math.round((loadavg()[1] ?? 0) * 100) / 100
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    platform: `${process.platform} ${process.arch}`,
    node: process.version,
    undici: versionOf('undici'),
    commit: commit(),
    loadBefore,
    busy: loadBefore > cores,
  }
}
