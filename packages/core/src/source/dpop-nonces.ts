import type { Clock } from '../clock.ts'
import { BoundedMap } from './bounded-map.ts'

interface Remembered {
  readonly nonce: string
  readonly at: number
}

const maxOrigins = 256
const maxAgeMs = 3_600_000
// RFC 9449 §8.1: NQCHAR, visible ASCII but for quote and backslash. A long one would only fill the proof.
const nonceSyntax = /^[\x21\x23-\x5b\x5d-\x7e]{1,1024}$/

/** The last nonce of each server (RFC 9449 §8 and §9): one store for authorization servers, another for APIs. */
export class DpopNonces {
  readonly #byOrigin = new BoundedMap<Remembered>(maxOrigins)
  readonly #clock: Pick<Clock, 'monotonic'>

  constructor(clock: Pick<Clock, 'monotonic'>) {
    this.#clock = clock
  }

  get(origin: string): string | undefined {
    const known = this.#byOrigin.get(origin)
    return known !== undefined && this.#clock.monotonic() - known.at < maxAgeMs ? known.nonce : undefined
  }

  /** Takes note of a response's `DPoP-Nonce` and gives it back; one that came twice, or is none, counts as not sent. */
  note(origin: string, header: string | readonly string[] | null | undefined): string | undefined {
    if (typeof header !== 'string' || !nonceSyntax.test(header)) return undefined
    this.#byOrigin.set(origin, { nonce: header, at: this.#clock.monotonic() })
    return header
  }
}
