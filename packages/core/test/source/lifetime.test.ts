import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ageMs, planLifetime, stateAt, type RenewalOptions } from '../../src/source/lifetime.ts'

const start = { wall: 1_000_000, monotonic: 500 }
const plan = (expiresIn: unknown, options: RenewalOptions = {}, draw = 0, refreshIn?: unknown) =>
  planLifetime(start, { expiresIn, refreshIn }, options, () => draw)

// The table of the semantics: life in seconds, and with the smallest and the largest jitter when it turns stale.
describe('a token that lives', () => {
  it.each([
    [10, 8000, 7500, 9500],
    [60, 48_000, 45_000, 57_000],
    [300, 240_000, 225_000, 295_000],
    [3600, 2_880_000, 2_700_000, 3_595_000],
    // Shorter than the smallest window: half of its life is fresh. regressions S18, J12
    [1, 500, 500, 500],
    [2, 1000, 1000, 1500],
    [5, 3000, 2500, 4500],
    [30, 24_000, 22_500, 28_500],
  ])('%i s turns stale at %i ms (at %i with full jitter) and expires at %i', (seconds, stale, jittered, expired) => {
    expect(plan(seconds)).toMatchObject({ lifetimeMs: seconds * 1000, renewAfterMs: stale, usableForMs: expired })
    expect(plan(seconds, {}, 1)).toMatchObject({ renewAfterMs: jittered, usableForMs: expired })
  })
})

// regressions S19, J9, J10, J11
describe('expires_in', () => {
  it.each<[unknown, number | undefined]>([
    [3600, 3_600_000],
    ['3600', 3_600_000],
    [' 60 ', 60_000],
    [1.5, 1500],
    ['0.25', 250],
    [1e20, 86_400_000],
    ['1e3', 1_000_000],
    [31_556_952, 86_400_000],
    [undefined, 300_000],
    [null, 300_000],
    [Number.POSITIVE_INFINITY, undefined],
    ['Infinity', undefined],
    [0, undefined],
    ['0', undefined],
    [-1, undefined],
    [Number.NaN, undefined],
    ['', undefined],
    ['soon', undefined],
    [{}, undefined],
    [true, undefined],
    [[60], undefined],
  ])('%j makes a life of %s ms', (expiresIn, lifetimeMs) => {
    expect(plan(expiresIn)?.lifetimeMs).toBe(lifetimeMs)
  })
})

describe('settings', () => {
  it('renewBeforeMs is kept to half of the life', () => {
    expect(plan(100, { renewBeforeMs: 10_000 })?.renewAfterMs).toBe(90_000)
    expect(plan(100, { renewBeforeMs: 99_000 })?.renewAfterMs).toBe(50_000)
  })

  // regressions S20, J16
  it('a configured 0 is 0', () => {
    expect(plan(100, { renewBeforeMs: 0, slackMs: 0 })).toMatchObject({ renewAfterMs: 100_000, usableForMs: 100_000 })
    expect(plan(100, { jitter: 0 }, 1)?.renewAfterMs).toBe(80_000)
  })

  it('a life that the server does not state, and the longest that is believed, can be set', () => {
    expect(plan(undefined, { defaultLifetimeMs: 7000 })?.lifetimeMs).toBe(7000)
    expect(plan(3600, { maxLifetimeMs: 60_000 })?.lifetimeMs).toBe(60_000)
  })
})

describe('refresh_in', () => {
  it('says when to renew, a little earlier at random', () => {
    expect(plan(3600, {}, 0, 1800)?.renewAfterMs).toBe(1_800_000)
    expect(plan(3600, {}, 1, '1800')?.renewAfterMs).toBe(1_620_000)
  })

  it.each([0, -1, 3600, 7200, 'soon', null])('%j is no answer to that', (refreshIn) => {
    expect(plan(3600, {}, 0, refreshIn)?.renewAfterMs).toBe(2_880_000)
  })

  it('never puts it off beyond expiry', () => {
    expect(plan(100, {}, 0, 99.9)?.renewAfterMs).toBe(95_000)
  })
})

// regressions J14
describe('state', () => {
  const life = plan(300) ?? expect.fail()
  it.each([
    [0, 'fresh'],
    [239_999, 'fresh'],
    [240_000, 'stale'],
    [294_999, 'stale'],
    [295_000, 'expired'],
  ])('at %i ms it is %s', (age, state) => {
    expect(stateAt(life, age)).toBe(state)
  })

  // regressions S44, J15
  it.each([
    ['both clocks went on', 10, 10, 10],
    ['the wall clock was set back', -3600, 10, 10],
    ['the wall clock was set forward', 3600, 10, 3600],
    ['the machine slept, and the monotonic clock with it', 600, 1, 600],
  ])('when %s, the clock that says more is believed', (_name, wall, monotonic, age) => {
    expect(ageMs(life, start.wall + wall, start.monotonic + monotonic)).toBe(age)
  })
})

// regressions S17, J12, J29
it('whatever the life, half of it is fresh, and a token is stale before it expires', () => {
  fc.assert(
    fc.property(
      fc.double({ min: 0.001, max: 1e9, noNaN: true }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (seconds, draw) => {
        const life = plan(seconds, {}, draw) ?? expect.fail()
        expect(life.renewAfterMs).toBeGreaterThanOrEqual(life.lifetimeMs / 2)
        expect(life.usableForMs).toBeGreaterThanOrEqual(life.renewAfterMs)
        expect(life.usableForMs).toBeLessThan(life.lifetimeMs)
      },
    ),
  )
})
