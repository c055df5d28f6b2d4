import { fork, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'

const runs = (pid: number) =>
  spawnSync('ps', ['-o', 'stat=', '-p', String(pid)])
    .stdout.toString()
    .match(/^[^Z]/) !== null

it('a Redis, even one that stands still, ends with the process that started it, however that ends', async () => {
  const child = fork(join(import.meta.dirname, 'redis-owner-process.ts'))
  const [{ pid, folder }] = (await once(child, 'message')) as [{ pid: number; folder: string }]
  expect([runs(pid), existsSync(folder)]).toEqual([true, true])
  child.kill('SIGKILL')
  await expect.poll(() => [runs(pid), existsSync(folder)]).toEqual([false, false])
})
