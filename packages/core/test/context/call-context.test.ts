import { describe, expect, it } from 'vitest'
import { mergeContexts, type Log } from '../../src/context/call-context.ts'

const log = (): Log => ({ debug() {}, info() {}, warn() {}, error() {} })
const signal = () => new AbortController().signal

describe('one context on top of another', () => {
  it('keeps what it does not set itself', () => {
    const under = {
      headers: { 'x-a': '1' },
      signal: signal(),
      signalAborts: 'safe-methods',
      subjectToken: 's',
      tenant: 't',
      log: log(),
      deadline: 1,
    } as const
    const merged = mergeContexts(undefined, under)
    expect(merged).toMatchObject(under)
    expect(mergeContexts(merged, {})).toMatchObject(under)
  })

  it('wins with what it sets, header by header', () => {
    const [first, second] = [log(), log()]
    const under = mergeContexts(undefined, {
      headers: { 'x-a': '1', 'x-b': '1' },
      subjectToken: 's',
      tenant: 't',
      log: first,
    })
    expect(
      mergeContexts(under, { headers: { 'X-B': '2' }, subjectToken: 'z', tenant: 'u', log: second }),
    ).toMatchObject({
      headers: { 'x-a': '1', 'x-b': '2' },
      subjectToken: 'z',
      tenant: 'u',
    })
    expect(mergeContexts(under, { log: second }).log).toBe(second)
  })

  it('brings a signal of its own that aborts everything, unless it says otherwise', () => {
    const under = mergeContexts(undefined, { signal: signal(), signalAborts: 'safe-methods' })
    const own = signal()
    expect(mergeContexts(under, { signal: own })).toMatchObject({ signal: own, signalAborts: undefined })
    expect(mergeContexts(under, { signal: own, signalAborts: 'safe-methods' }).signalAborts).toBe('safe-methods')
  })

  it.each([
    [100, 200, 100],
    [200, 100, 100],
    [100, undefined, 100],
    [undefined, 100, 100],
    [100, Number.NaN, 100],
    [undefined, Number.NaN, undefined],
    [100, Infinity, 100],
  ])('of the deadlines %d and %d, %d counts', (under, over, expected) => {
    expect(mergeContexts(mergeContexts(undefined, { deadline: under }), { deadline: over }).deadline).toBe(expected)
  })

  it('is a new object that nobody can change', () => {
    const given = { headers: { 'x-a': '1' } }
    const merged = mergeContexts(undefined, given)
    given.headers['x-a'] = '2'
    expect(merged.headers).toEqual({ 'x-a': '1' })
    expect([merged, merged.headers].map(Object.isFrozen)).toEqual([true, false])
  })
})
