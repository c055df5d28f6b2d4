import type { Child } from './child.ts'
import type { Call, SeenByApi } from './evidence.ts'

const runs = 3

/** Nobody asks a worker anything: it prints what the API answered, one line for each run. */
export function watchWorker(worker: Child, signal: AbortSignal): Promise<readonly Call[]> {
  return worker.find((lines) => (lines.length < runs ? undefined : lines.slice(0, runs).map(toCall)), signal)
}

function toCall(line: string): Call {
  // It prints no other answer.
  return { status: 200, answer: line, seen: JSON.parse(line) as SeenByApi, expected: {} }
}
