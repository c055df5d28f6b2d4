import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

it('the example runs, and finds nothing wrong', async () => {
  const main = fileURLToPath(new URL('../src/main.ts', import.meta.url))
  const { stdout } = await promisify(execFile)(process.execPath, [main])
  expect(stdout).toMatch(/^OK: 8 clients, one token request\.$/m)
})
