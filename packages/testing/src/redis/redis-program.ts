import { execFile } from 'node:child_process'
import { access, constants } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
const names = ['redis-server', 'valkey-server']
const longestMs = 300_000

// One of them at a time, whichever process it belongs to; the kernel ends the lock with its holder. Who waited for it finds
// what the other one installed. `RUNLEVEL` keeps the package's own service from being started.
const install = `
for name in ${names.join(' ')}; do command -v $name && exit 0; done
apt-get update
for name in ${names.join(' ')}; do
  apt-get install -y --no-install-recommends -o Dpkg::Options::=--force-confold -o DPkg::Lock::Timeout=120 $name && exit 0
done
exit 1`
const quietly = { DEBIAN_FRONTEND: 'noninteractive', NEEDRESTART_MODE: 'l', RUNLEVEL: '1' }

/**
 * A program that is a Redis: of the PATH, or installed from the distribution where that is possible without asking (as root,
 * with apt-get) and `REDIS_URL` names none. Rejects with what to install.
 */
export async function redisProgram(): Promise<string> {
  const found = (await onPath()) ?? (await installed())
  if (found.file !== undefined) return found.file
  throw new Error(
    'These tests need a real Redis of their own. Install redis-server or valkey-server (Debian and Ubuntu: ' +
      `apt-get install redis-server; macOS: brew install redis). Not installed here: ${found.reason}`,
  )
}

interface Found {
  readonly file?: string
  readonly reason?: string
}

async function installed(): Promise<Found> {
  if (process.env['REDIS_URL'] !== undefined) return { reason: 'REDIS_URL is set, and its Redis must not be broken' }
  if (process.getuid?.() !== 0) return { reason: 'this process is not root' }
  try {
    const lock = join(tmpdir(), 'tokenwell-install-redis.lock')
    const child = run('flock', [lock, 'sh', '-c', install], { env: { ...process.env, ...quietly }, timeout: longestMs })
    child.child.stdin?.end()
    await child
  } catch (error) {
    const { stderr = '', message } = error as Error & { readonly stderr?: string }
    return { reason: `apt-get failed: ${(stderr === '' ? message : stderr).slice(-300)}` }
  }
  return (await onPath()) ?? { reason: 'apt-get did, but there is still none on the PATH' }
}

async function onPath(): Promise<Found | undefined> {
  const folders = (process.env['PATH'] ?? '').split(delimiter)
  for (const file of folders.flatMap((folder) => names.map((name) => join(folder, name)))) {
    const runs = await access(file, constants.X_OK).then(
      () => true,
      () => false,
    )
    if (runs) return { file }
  }
  return undefined
}
