import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { BoundedMap } from '../../src/source/bounded-map.ts'

function filled(limit: number) {
  const dropped: number[] = []
  const map = new BoundedMap<number>(limit, (value) => dropped.push(value))
  for (let value = 0; value < limit; value++) map.set(String(value), value)
  return { map, dropped }
}

describe('BoundedMap', () => {
  it('for want of room the one that was set first is dropped', () => {
    const { map, dropped } = filled(3)
    map.set('0', 0)
    map.peek('1')
    for (const value of [3, 4, 5]) map.set(String(value), value)
    expect(dropped).toEqual([1, 2, 0])
  })

  it('one that was looked up is spared once, however often it was', () => {
    const { map, dropped } = filled(3)
    map.get('0')
    map.get('0')
    for (const value of [3, 4, 5]) map.set(String(value), value)
    expect(dropped).toEqual([1, 2, 0])
  })

  it('one that is looked up between its turns stays, whatever else comes', () => {
    const { map, dropped } = filled(3)
    for (let value = 3; value < 1000; value++) {
      map.get('0')
      map.set(String(value), value)
    }
    expect(dropped).not.toContain(0)
    expect(dropped).toHaveLength(997)
  })

  // Somebody may see to it that everything is in use.
  it('where all are in use, whoever needs room waits for no more than a hundred to be spared', () => {
    const { map, dropped } = filled(1000)
    for (let value = 0; value < 1000; value++) map.get(String(value))
    map.set('1000', 1000)
    map.set('1001', 1001)
    expect(dropped).toEqual([100, 201])
    expect(map.size).toBe(1000)
  })

  it('where all of a few are in use, the one that was set first is dropped', () => {
    const { map, dropped } = filled(3)
    for (const key of ['2', '1', '0']) map.get(key)
    map.set('3', 3)
    expect(dropped).toEqual([0])
  })

  it('what is deleted or cleared takes no room, and is not told of', () => {
    const { map, dropped } = filled(3)
    expect([map.delete('1'), map.delete('1'), map.delete('0'), map.delete('2')]).toEqual([true, false, true, true])
    for (const value of [3, 4, 5]) map.set(String(value), value)
    map.clear()
    for (const value of [6, 7, 8]) map.set(String(value), value)
    expect([...map.entries()]).toEqual([
      ['6', 6],
      ['7', 7],
      ['8', 8],
    ])
    expect(dropped).toEqual([])
    map.set('9', 9)
    expect(dropped).toEqual([6])
  })

  it('keeps to these rules in whatever order things happen', () => {
    const key = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f')
    const step = fc.tuple(fc.constantFrom('get', 'peek', 'set', 'set', 'delete', 'clear'), key)
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 4 }), fc.array(step, { maxLength: 60 }), (limit, steps) => {
        const dropped: string[] = []
        const map = new BoundedMap<string>(limit, (value) => dropped.push(value))
        // The same said in the plainest way.
        let line: { key: string; value: string; used: boolean }[] = []
        const lost: string[] = []
        for (const [index, [what, name]] of steps.entries()) {
          const held = line.find((entry) => entry.key === name)
          if (what === 'get' || what === 'peek') {
            expect(map[what](name)).toBe(held?.value)
            if (held !== undefined && what === 'get') held.used = true
          } else if (what === 'clear') {
            map.clear()
            line = []
          } else {
            line = line.filter((entry) => entry !== held)
            const value = `${name}${index}`
            if (what === 'delete') expect(map.delete(name)).toBe(held !== undefined)
            else {
              while (line.length === limit) {
                const [first] = line.splice(0, 1)
                if (first?.used === true) line.push({ ...first, used: false })
                else lost.push(first?.value ?? '')
              }
              map.set(name, value)
              line.push({ key: name, value, used: false })
            }
          }
          expect(map.size).toBe(line.length)
          expect(new Map(map.entries())).toEqual(new Map(line.map((entry) => [entry.key, entry.value])))
        }
        expect(dropped).toEqual(lost)
      }),
    )
  })
})
