import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

// About 590 on Node.js 26.
test('a token that was sent takes no more than a kilobyte of memory besides itself', async () => {
  const script = join(import.meta.dirname, 'kept-tokens.ts')
  const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', '--no-warnings', script])
  const { tokens, bytesPerToken } = JSON.parse(stdout) as { tokens: number; bytesPerToken: number }
  expect(tokens).toBe(4000)
  expect(bytesPerToken).toBeGreaterThan(0)
  expect(bytesPerToken).toBeLessThanOrEqual(1024)
})
