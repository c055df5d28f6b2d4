import { redisProgram } from '@tokenwell/testing'

/**
 * Finds or installs a Redis before the first test, or fails with what to install. With `REDIS_URL`, tests that break none use
 * that one; the others, which need one of their own, say so.
 */
export default async function setup(): Promise<void> {
  if (process.env['REDIS_URL'] === undefined) await redisProgram()
}
