import type { Child } from '@tokenwell/example-suite/child'
import type { Call, SeenByApi, Work } from './evidence.ts'

const runs = 3

/** Nobody asks a worker anything: it prints what the API answered, one line for each run. */
export async function watchWorker(worker: Child, signal: AbortSignal): Promise<Omit<Work, 'caller'>> {
  const enough = (lines: readonly string[]) => (lines.length < runs ? undefined : lines.slice(0, runs))
  return { orders: (await worker.find(enough, signal)).map(toCall), profiles: [] }
}

function toCall(line: string): Call {
  // It prints no other answer.
  return { status: 200, answer: line, seen: JSON.parse(line) as SeenByApi, expected: {} }
}
