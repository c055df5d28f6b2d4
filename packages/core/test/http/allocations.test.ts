import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

// Without the optimizing compilers a call allocates the same bytes each time; young space is so large that none is freed meanwhile.
const flags = [
  '--expose-gc',
  '--no-opt',
  '--no-maglev',
  '--max-semi-space-size=64',
  '--min-semi-space-size=64',
  '--no-warnings',
]

// About 715, 945, 1000 and 2000 on Node.js 22, 24 and 26: less room is left than one more closure takes.
test('a warm call allocates no more bytes beyond those of bare undici than it did', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [...flags, join(import.meta.dirname, 'warm-calls.ts')])
  const more = JSON.parse(stdout) as Readonly<Record<string, number>>
  expect(more['request']).toBeLessThanOrEqual(735)
  expect(more['dispatcher']).toBeLessThanOrEqual(970)
  expect(more['fetch']).toBeLessThanOrEqual(1010)
  expect(more['with']).toBeLessThanOrEqual(2040)
})
