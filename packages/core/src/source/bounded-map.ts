/** An entry, and its place in line. */
interface Kept<Value> {
  readonly key: string
  readonly value: Value
  /** Looked up since it took its place. */
  used: boolean
  before: Kept<Value> | undefined
  after: Kept<Value> | undefined
}

// However many of those in front were looked up, whoever needs room waits for no more.
const mostSpared = 100

/**
 * A map of at most `limit` entries. For want of room the one that was set first is dropped; but one that was looked up since
 * goes to the end of the line instead, once for any number of look-ups, and so do at most a hundred in a row. A look-up therefore
 * leaves a mark and moves nothing.
 */
export class BoundedMap<Value> {
  readonly #entries = new Map<string, Kept<Value>>()
  readonly #limit: number
  readonly #onDrop: ((value: Value) => void) | undefined
  #first: Kept<Value> | undefined
  #last: Kept<Value> | undefined

  /** `onDrop` is told of what is dropped for want of room. */
  constructor(limit: number, onDrop?: (value: Value) => void) {
    this.#limit = limit
    this.#onDrop = onDrop
  }

  get size(): number {
    return this.#entries.size
  }

  /** Looks without counting as a use. */
  peek(key: string): Value | undefined {
    return this.#entries.get(key)?.value
  }

  get(key: string): Value | undefined {
    const kept = this.#entries.get(key)
    if (kept === undefined) return undefined
    // Most are marked already, and a write would have to go back to memory.
    if (!kept.used) kept.used = true
    return kept.value
  }

  set(key: string, value: Value): void {
    const before = this.#entries.get(key)
    if (before !== undefined) this.#leave(before)
    // Before it is there itself: where all others are in use, it would be the one to go.
    else if (this.#entries.size >= this.#limit) this.#drop()
    const kept = { key, value, used: false, before: undefined, after: undefined }
    this.#entries.set(key, kept)
    this.#queue(kept)
  }

  delete(key: string): boolean {
    const kept = this.#entries.get(key)
    if (kept === undefined) return false
    this.#leave(kept)
    return this.#entries.delete(key)
  }

  clear(): void {
    this.#entries.clear()
    this.#first = undefined
    this.#last = undefined
  }

  *entries(): Generator<[string, Value]> {
    for (const [key, { value }] of this.#entries) yield [key, value]
  }

  #drop(): void {
    for (let spared = 0; this.#first?.used === true && spared < mostSpared; spared++) {
      const kept = this.#first
      this.#leave(kept)
      kept.used = false
      this.#queue(kept)
    }
    const dropped = this.#first
    if (dropped === undefined) return
    this.#leave(dropped)
    this.#entries.delete(dropped.key)
    this.#onDrop?.(dropped.value)
  }

  #queue(kept: Kept<Value>): void {
    kept.before = this.#last
    if (this.#last === undefined) this.#first = kept
    else this.#last.after = kept
    this.#last = kept
  }

  #leave(kept: Kept<Value>): void {
    const { before, after } = kept
    if (before === undefined) this.#first = after
    else before.after = after
    if (after === undefined) this.#last = before
    else after.before = before
    kept.before = undefined
    kept.after = undefined
  }
}
