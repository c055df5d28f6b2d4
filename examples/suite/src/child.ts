import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { stripVTControlCharacters } from 'node:util'

/** A program that runs beside this one. */
export interface Child {
  /** Waits until `pick` finds what it seeks in the lines printed so far. Rejects if the program ends before, or takes too
   * long, or when `signal` aborts. */
  find<Result>(pick: (lines: readonly string[]) => Result | undefined, signal: AbortSignal): Promise<Result>
  /** Asks it to end as a platform does, and waits. Resolves to what was wrong with its end, which is not exit code 0 or came
   * too late, or with all of its life, in which it wrote something to standard error. */
  stop(): Promise<string | undefined>
}

const patienceMs = 30_000

/** Starts a Node.js program with these variables besides this process's own. */
export function startChild(file: string | URL, variables: Readonly<Record<string, string>>): Child {
  const child = spawn(process.execPath, [file instanceof URL ? fileURLToPath(file) : file], {
    env: { ...process.env, ...variables },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const closed = once(child, 'close')
  const hasEnded = () => child.exitCode !== null || child.signalCode !== null
  const lines: string[] = []
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(line))
  let complaint = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (complaint += text))

  async function end(): Promise<string | undefined> {
    if (!hasEnded()) child.kill('SIGTERM')
    const inTime = await Promise.race([closed, pause(patienceMs, undefined, { ref: false })])
    if (inTime === undefined) child.kill('SIGKILL')
    if (inTime === undefined) return 'did not end when asked to'
    if (child.exitCode !== 0) return `ended with ${child.signalCode ?? `code ${child.exitCode}`}: ${gist(complaint)}`
    return complaint === '' ? undefined : `complained: ${gist(complaint)}`
  }
  let ending: Promise<string | undefined> | undefined

  return {
    async find(pick, signal) {
      for (const deadline = performance.now() + patienceMs; performance.now() < deadline;) {
        const found = pick(lines)
        if (found !== undefined) return found
        if (hasEnded()) throw new Error(`ended early: ${(await closed, gist(complaint))}`)
        await pause(10, undefined, { signal })
      }
      throw new Error(`printed nothing useful in ${patienceMs / 1000} s: ${gist(complaint)}`)
    },
    stop: () => (ending ??= end()),
  }
}

/** The line that says what is wrong, of all that a program wrote about it. */
function gist(complaint: string): string {
  const text = stripVTControlCharacters(complaint).trim()
  return (/^(?=\S).*(?:Error|Warning).*$/m.exec(text)?.[0] ?? text).slice(0, 300)
}
