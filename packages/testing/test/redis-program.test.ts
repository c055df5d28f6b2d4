import { chmod, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { redisProgram } from '../src/index.ts'

/** Where the programs of this test are; nothing else is on the PATH. */
let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tokenwell-path-'))
  vi.stubEnv('PATH', folder)
  vi.stubEnv('REDIS_URL', undefined)
  const uid = vi.spyOn(process, 'getuid').mockReturnValue(0)
  onTestFinished(async () => {
    uid.mockRestore()
    vi.unstubAllEnvs()
    await rm(folder, { recursive: true })
  })
})

async function program(name: string, script = 'exit 0'): Promise<string> {
  const file = join(folder, name)
  await writeFile(file, `#!/bin/sh\n${script}\n`)
  await chmod(file, 0o755)
  return file
}

/** An apt-get that has these packages, and writes down what it was told. `flock` is the real one. */
async function distributionWith(...packages: readonly string[]): Promise<() => Promise<string[]>> {
  const log = join(folder, 'log')
  await writeFile(log, '')
  await symlink('/bin/sh', join(folder, 'sh'))
  await symlink('/usr/bin/flock', join(folder, 'flock'))
  await program(
    'apt-get',
    `read answer; echo "$DEBIAN_FRONTEND $RUNLEVEL $answer $*" >> ${log}
    for name; do :; done
    case $name in update|${packages.join('|')}) ;; *) echo "no package $name" >&2; exit 100;; esac
    if [ $1 = install ]; then /bin/sleep 0.2; echo > ${folder}/$name; /bin/chmod 755 ${folder}/$name; fi`,
  )
  return async () => (await readFile(log, 'utf8')).split('\n').filter((line) => line !== '')
}

describe('a Redis', () => {
  it.each(['redis-server', 'valkey-server'])(
    'that is on the PATH as %s is taken, and nothing installed',
    async (name) => {
      const told = await distributionWith('redis-server')
      const file = await program(name)
      expect(await redisProgram()).toBe(file)
      expect(await told()).toEqual([])
    },
  )

  it('is installed once for all who need one at the same time, without a question or a service', async () => {
    const told = await distributionWith('redis-server')
    const found = await Promise.all([redisProgram(), redisProgram(), redisProgram()])
    expect(new Set(found)).toEqual(new Set([join(folder, 'redis-server')]))
    const [update, install, ...more] = await told()
    expect(update).toBe('noninteractive 1  update')
    expect(install).toMatch(/^noninteractive 1 {2}install -y .*redis-server$/)
    expect(more).toEqual([])
  })

  it('is Valkey where the distribution has only that', async () => {
    await distributionWith('valkey-server')
    expect(await redisProgram()).toBe(join(folder, 'valkey-server'))
  })

  it('is not installed beside one that REDIS_URL names', async () => {
    const told = await distributionWith('redis-server')
    vi.stubEnv('REDIS_URL', 'redis://127.0.0.1')
    await expect(redisProgram()).rejects.toThrow(/Install redis-server or valkey-server.*REDIS_URL/s)
    expect(await told()).toEqual([])
  })

  it('is not installed by who is not root', async () => {
    const told = await distributionWith('redis-server')
    vi.spyOn(process, 'getuid').mockReturnValue(1000)
    await expect(redisProgram()).rejects.toThrow(/apt-get install redis-server.*not root/s)
    expect(await told()).toEqual([])
  })

  it('that cannot be installed is asked for, with what was tried', async () => {
    await distributionWith('another')
    await expect(redisProgram()).rejects.toThrow(/Install redis-server.*no package valkey-server/s)
    await rm(join(folder, 'flock'))
    await expect(redisProgram()).rejects.toThrow(/Install redis-server.*flock/s)
  })
})
