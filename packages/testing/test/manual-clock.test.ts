import { setTimeout as delay } from 'node:timers/promises'

import { expect, test } from 'vitest'

import { createManualClock } from '../src/index.ts'

test('it stands still unless it is moved', async () => {
  const clock = createManualClock({ now: 5_000_000 })
  const before = [clock.now(), clock.monotonic()]
  await delay(5)
  expect([clock.now(), clock.monotonic()]).toEqual(before)
  expect(clock.now()).toBe(5_000_000)
})

test('advancing moves both clocks alike', async () => {
  const clock = createManualClock({ now: 5_000_000 })
  const start = clock.monotonic()
  await clock.advance(250)
  expect([clock.now(), clock.monotonic() - start]).toEqual([5_000_250, 250])
})

test('its wall clock and its monotonic clock differ from the start', () => {
  const clock = createManualClock()
  expect(new Date(clock.now()).toISOString()).toBe('2026-01-01T00:00:00.000Z')
  expect(clock.monotonic()).toBeLessThan(clock.now())
})

test.each([
  [99, 0],
  [100, 1],
  [101, 1],
])('a timer of 100 ms, advanced by %i ms, fires %i times', async (ms, times) => {
  const clock = createManualClock()
  let fired = 0
  clock.setTimer(() => (fired += 1), 100)
  await clock.advance(ms)
  expect(fired).toBe(times)
  expect(clock.pendingTimers).toBe(1 - times)
  await clock.advance(1000)
  expect(fired).toBe(1)
})

test('timers fire in order of time and then of setting, each at its own time', async () => {
  const clock = createManualClock()
  const start = clock.monotonic()
  const fired: string[] = []
  const note = (name: string) => () => void fired.push(`${name}@${clock.monotonic() - start}`)
  clock.setTimer(note('late'), 30)
  clock.setTimer(note('first'), 10)
  clock.setTimer(note('second'), 10)
  clock.setTimer(note('past'), -5)
  await clock.advance(40)
  expect(fired).toEqual(['past@0', 'first@10', 'second@10', 'late@30'])
})

test('a timer set by a timer fires in the same advance if it is due', async () => {
  const clock = createManualClock()
  const fired: number[] = []
  const again = () => {
    fired.push(clock.now())
    clock.setTimer(again, 10)
  }
  const start = clock.now()
  clock.setTimer(again, 10, { unref: true })
  await clock.advance(35)
  expect(fired.map((at) => at - start)).toEqual([10, 20, 30])
  expect(clock.pendingTimers).toBe(1)
})

test('a cancelled timer does not fire', async () => {
  const clock = createManualClock()
  let fired = false
  const cancel = clock.setTimer(() => (fired = true), 10)
  cancel()
  cancel()
  expect(clock.pendingTimers).toBe(0)
  await clock.advance(20)
  expect(fired).toBe(false)
})

test('a timer can cancel another that is due at the same time', async () => {
  const clock = createManualClock()
  let fired = false
  clock.setTimer(() => cancel(), 10)
  const cancel = clock.setTimer(() => (fired = true), 10)
  await clock.advance(10)
  expect(fired).toBe(false)
})

test('promise chains run before, between and after timers, however long they are', async () => {
  const clock = createManualClock()
  const events: string[] = []
  const chain = async (name: string) => {
    for (let step = 0; step < 500; step += 1) await Promise.resolve()
    events.push(name)
  }
  void chain('before').then(() => clock.setTimer(() => void chain('first chain'), 10))
  clock.setTimer(() => void events.push('second timer'), 20)
  clock.setTimer(() => void chain('last chain'), 30)
  await clock.advance(30)
  expect(events).toEqual(['before', 'first chain', 'second timer', 'last chain'])
})

test('a sleep built on the clock ends while it is advanced', async () => {
  const clock = createManualClock()
  const sleep = (ms: number) => new Promise<void>((resolve) => clock.setTimer(resolve, ms))
  const work = (async () => {
    await sleep(10)
    await sleep(10)
    return clock.monotonic()
  })()
  const start = clock.monotonic()
  await clock.advance(1000)
  expect((await work) - start).toBe(20)
})

test('two advances that overlap add up', async () => {
  const clock = createManualClock()
  const start = clock.now()
  const fired: number[] = []
  for (const ms of [5, 15]) clock.setTimer(() => fired.push(clock.now() - start), ms)
  await Promise.all([clock.advance(10), clock.advance(10)])
  expect(clock.now() - start).toBe(20)
  expect(fired).toEqual([5, 15])
})

test('a step moves the wall clock alone, also back', async () => {
  const clock = createManualClock({ now: 5_000_000 })
  const start = clock.monotonic()
  let fired = false
  clock.setTimer(() => (fired = true), 10)
  clock.stepWall(-60_000)
  expect([clock.now(), clock.monotonic()]).toEqual([4_940_000, start])
  clock.stepWall(120_000)
  await clock.advance(9)
  expect([clock.now(), fired]).toEqual([5_060_009, false])
  await clock.advance(1)
  expect(fired).toBe(true)
})

test('while suspended the wall clock goes on, monotonic time and timers do not', async () => {
  const clock = createManualClock({ now: 5_000_000 })
  const start = clock.monotonic()
  let fired = false
  clock.setTimer(() => (fired = true), 10)
  clock.suspend(3_600_000)
  await clock.advance(9)
  expect([clock.now(), clock.monotonic() - start, fired]).toEqual([8_600_009, 9, false])
  await clock.advance(1)
  expect(fired).toBe(true)
})

test('what a timer throws rejects the advance, and the next one goes on', async () => {
  const clock = createManualClock()
  let fired = false
  clock.setTimer(() => {
    throw new Error('a broken timer')
  }, 10)
  clock.setTimer(() => (fired = true), 20)
  await expect(clock.advance(30)).rejects.toThrow('a broken timer')
  await clock.advance(0)
  expect(fired).toBe(true)
})

test.each([-1, Number.NaN, Infinity])('time cannot be advanced or suspended by %d', async (ms) => {
  const clock = createManualClock()
  await expect(clock.advance(ms)).rejects.toThrow(RangeError)
  expect(() => clock.suspend(ms)).toThrow(RangeError)
})
