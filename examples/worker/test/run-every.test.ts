import { setTimeout as pause } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { runEvery } from '../src/run-every.ts'

/** Runs a job that many times. */
async function runTimes(times: number, intervalMs: number, job: (run: number) => Promise<void>): Promise<unknown[]> {
  const stop = new AbortController()
  const errors: unknown[] = []
  let runs = 0
  const counted = async () => {
    if (++runs === times) stop.abort()
    await job(runs)
  }
  await runEvery(intervalMs, counted, { signal: stop.signal, onError: (error) => errors.push(error) })
  expect(runs).toBe(times)
  return errors
}

test('a run that takes longer than the interval is not overtaken, and none is made up for', async () => {
  const begun = performance.now()
  const starts: number[] = []
  let underWay = 0
  await runTimes(4, 50, async () => {
    starts.push(performance.now() - begun)
    expect(++underWay).toBe(1)
    // Over two runs that would be due.
    await pause(120)
    underWay--
  })
  // Timers count whole milliseconds.
  for (const [index, start] of starts.entries()) {
    expect(start).toBeGreaterThanOrEqual(index * 150 - 2)
  }
})

test('short runs start an interval apart', async () => {
  const begun = performance.now()
  const starts: number[] = []
  await runTimes(30, 5, async () => void starts.push(performance.now() - begun))
  for (const [index, start] of starts.entries()) expect(start).toBeGreaterThanOrEqual(index * 5 - 2)
})

test('a run that fails is told, and ends no other', async () => {
  const errors = await runTimes(3, 1, async (run) => {
    if (run < 3) throw new Error(`run ${run}`)
  })
  expect(errors).toEqual([new Error('run 1'), new Error('run 2')])
})

test('nothing runs when the end came first', async () => {
  await runEvery(1, () => expect.fail('it ran'), { signal: AbortSignal.abort(), onError: () => {} })
})
