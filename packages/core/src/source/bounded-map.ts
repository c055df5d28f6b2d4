/** A map that keeps the `limit` most recently used entries. */
export class BoundedMap<Value> {
  readonly #entries = new Map<string, Value>()
  readonly #limit: number
  readonly #onDrop: ((value: Value) => void) | undefined

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
    return this.#entries.get(key)
  }

  get(key: string): Value | undefined {
    const value = this.#entries.get(key)
    // A Map keeps the order of insertion, so moving an entry to the end makes its first entry the least recently used.
    // Below the bound nobody is dropped next, and the move would cost each call for nothing.
    if (value !== undefined && this.#entries.size * 2 > this.#limit) {
      this.#entries.delete(key)
      this.#entries.set(key, value)
    }
    return value
  }

  set(key: string, value: Value): void {
    this.#entries.delete(key)
    this.#entries.set(key, value)
    if (this.#entries.size <= this.#limit) return
    for (const [oldest, dropped] of this.#entries) {
      this.#entries.delete(oldest)
      this.#onDrop?.(dropped)
      return
    }
  }

  delete(key: string): boolean {
    return this.#entries.delete(key)
  }

  clear(): void {
    this.#entries.clear()
  }

  entries(): IterableIterator<[string, Value]> {
    return this.#entries.entries()
  }
}
