import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

/** The worker as a process of its own. */
export interface WorkerProcess extends AsyncDisposable {
  /** The next line that it prints: what a run has found. */
  next(): Promise<unknown>
  kill(signal: NodeJS.Signals): void
  /** Resolves when it has ended. */
  readonly ended: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>
  /** What it has written to standard error. */
  readonly complaint: string
}

/** Starts it with these variables and nothing else that it reads. */
export function startWorker(env: Readonly<Record<string, string>>): WorkerProcess {
  const main = fileURLToPath(new URL('../src/main.ts', import.meta.url))
  const child = spawn(process.execPath, [main], { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
  const ended = once(child, 'close').then(([code, signal]) => ({ code, signal }))
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  let complaint = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (complaint += text))
  return {
    async next() {
      const { done, value } = await lines.next()
      if (done) throw new Error(`The worker has ended: ${complaint}`)
      return JSON.parse(value)
    },
    kill: (signal) => void child.kill(signal),
    ended,
    get complaint() {
      return complaint
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await ended
    },
  }
}
