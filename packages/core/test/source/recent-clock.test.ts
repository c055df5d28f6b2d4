import { createManualClock } from '@tokenwell/testing'
import { expect, it } from 'vitest'
import type { Lifetime } from '../../src/source/lifetime.ts'
import { RecentClock } from '../../src/source/recent-clock.ts'

function watched() {
  const clock = createManualClock()
  const reads = { monotonic: 0 }
  const recent = new RecentClock({
    ...clock,
    monotonic: () => {
      reads.monotonic += 1
      return clock.monotonic()
    },
  })
  const start = { wall: clock.now(), monotonic: clock.monotonic() }
  const lifetime: Lifetime = { start, lifetimeMs: 10_000, renewAfterMs: 8000, usableForMs: 9500 }
  return { clock, reads, isFresh: () => recent.isFresh(lifetime) }
}

it('is exact to the millisecond, however recently it looked', async () => {
  const { clock, isFresh } = watched()
  await clock.advance(7900)
  expect(isFresh()).toBe(true)
  await clock.advance(99)
  expect(isFresh()).toBe(true)
  await clock.advance(1)
  expect(isFresh()).toBe(false)
})

it('reads the monotonic clock once in a quarter of a second', async () => {
  const { clock, reads, isFresh } = watched()
  for (let call = 0; call < 100; call++) isFresh()
  expect(reads.monotonic).toBe(1)
  await clock.advance(249)
  isFresh()
  expect(reads.monotonic).toBe(1)
  await clock.advance(1)
  for (let call = 0; call < 100; call++) isFresh()
  expect(reads.monotonic).toBe(2)
})

it('notices at once that the machine slept, or that the process was frozen', () => {
  const { clock, isFresh } = watched()
  expect(isFresh()).toBe(true)
  clock.suspend(8000)
  expect(isFresh()).toBe(false)
})

it.each([-1, -3_600_000])('is not taken in by a wall clock that is set by %d ms', async (ms) => {
  const { clock, isFresh } = watched()
  expect(isFresh()).toBe(true)
  await clock.advance(8000)
  clock.stepWall(ms)
  expect(isFresh()).toBe(false)
})

it('is not taken in by one that is set back bit by bit', async () => {
  const { clock, isFresh } = watched()
  for (let elapsedMs = 0; elapsedMs < 8000; elapsedMs += 200) {
    expect(isFresh()).toBe(true)
    await clock.advance(200)
    clock.stepWall(-201)
  }
  expect(isFresh()).toBe(false)
})

it('is exact by the monotonic clock too, where the wall clock is behind it', async () => {
  const { clock, isFresh } = watched()
  clock.stepWall(-100)
  await clock.advance(7900)
  expect(isFresh()).toBe(true)
  await clock.advance(99)
  expect(isFresh()).toBe(true)
  await clock.advance(1)
  expect(isFresh()).toBe(false)
})
