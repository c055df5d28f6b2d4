import type * as fs from 'node:fs/promises'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished, vi } from 'vitest'
import { fileReader } from '../../src/credentials/file-reader.ts'

const [open, pause] = vi.hoisted(() => [vi.fn(), vi.fn()])
// A mount that hangs, which no test can make.
vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof fs>()
  return { ...real, open: open.mockImplementation(real.open) }
})
vi.mock('node:timers/promises', () => ({ setTimeout: pause }))

it('a look at a file that hangs is given up after ten seconds, and the next reader looks anew', async () => {
  vi.useFakeTimers({ toFake: ['performance'] })
  onTestFinished(() => void vi.useRealTimers())
  const read = fileReader('secret', import.meta.filename)
  open.mockImplementationOnce(() => new Promise(() => {}))
  void read(false)
  vi.advanceTimersByTime(9999)
  void read(false)
  expect(open).toHaveBeenCalledTimes(1)
  vi.advanceTimersByTime(1)
  expect((await read(false)).value).toContain('given up')
  expect(open).toHaveBeenCalledTimes(2)
})

it('a file that is being written over, and is empty for a moment, is read when there is something in it', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'tokenwell-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const file = join(folder, 'secret')
  await writeFile(file, '')
  pause.mockImplementationOnce(() => writeFile(file, 'new'))
  expect((await fileReader('secret', file)(false)).value).toBe('new')
  expect(pause).toHaveBeenCalledExactlyOnceWith(200)
})
