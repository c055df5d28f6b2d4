import { execFile, type ExecFileException } from 'node:child_process'
import { glob, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'

/** How a command ended. */
export interface Result {
  readonly ok: boolean
  /** What it printed to both streams, without outer white space. */
  readonly output: string
}

/** A package of this repository that is published. */
export interface PublicPackage {
  readonly name: string
  readonly folder: string
}

/** The repository's top folder. */
export const root = join(import.meta.dirname, '..')

/** Runs a command to its end. Rejects only when it cannot be started. */
export function run(file: string, args: readonly string[], cwd: string): Promise<Result> {
  return new Promise((resolve, reject) => {
    // A failing tool is an answer; one that cannot be started is an error.
    const done = (error: ExecFileException | null, stdout: string, stderr: string) => {
      if (error !== null && typeof error.code !== 'number') reject(error)
      else resolve({ ok: error === null, output: `${stdout}${stderr}`.trim() })
    }
    execFile(file, args, { cwd, env: { ...process.env, NO_COLOR: '1', FORCE_COLOR: '0' } }, done)
  })
}

/** Runs pnpm: the one that started us, so that nothing is fetched; it may be a script or a program of its own. */
export function runPnpm(args: readonly string[], cwd: string): Promise<Result> {
  const started = process.env['npm_execpath']
  if (started === undefined || !/pnpm/.test(started)) return run('npx', ['--yes', 'pnpm@12.21.0', ...args], cwd)
  if (/\.[cm]?js$/.test(started)) return run(process.execPath, [started, ...args], cwd)
  return run(started, args, cwd)
}

/** Every package that is published, by name. */
export async function publicPackages(): Promise<PublicPackage[]> {
  const found: PublicPackage[] = []
  for await (const path of glob('packages/*/package.json', { cwd: root })) {
    const manifest = JSON.parse(await readFile(join(root, path), 'utf8')) as { name: string; private?: boolean }
    if (manifest.private !== true) found.push({ name: manifest.name, folder: join(root, dirname(path)) })
  }
  return found.toSorted((one, other) => one.name.localeCompare(other.name))
}
