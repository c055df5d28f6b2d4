import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

test('the demo runs, and finds nothing wrong', { timeout: 60_000 }, async () => {
  const main = fileURLToPath(new URL('../main.ts', import.meta.url))
  const { stdout } = await promisify(execFile)(process.execPath, [main])
  expect(stdout).toMatch(/^express +its callers .* orders-express +alice, bob +profile:read +200 +25 +2$/m)
  expect(stdout).toMatch(/^worker .* exit code 0$/m)
  expect(stdout).toMatch(/^OK: 153 calls, one token request for each service/m)
})
