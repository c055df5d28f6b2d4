import type { Clock } from '../clock.ts'
import type { ServerMetadata } from '../oauth/server-metadata.ts'
import { Flights, type Flight } from './coalescing.ts'

/** What a metadata source stands on. */
export interface MetadataSourceOptions {
  readonly clock: Clock
  readonly timeoutMs: number
  readonly upstream: string | undefined
  fetch(signal: AbortSignal): Promise<ServerMetadata>
}

const maxAgeMs = 3_600_000
const retryAfterMs = 60_000
const theOne = 'metadata'

/**
 * The authorization server's metadata, fetched once for all who need it and again after an hour. What was once fetched
 * stays in use while a newer version cannot be had; a failure is never remembered.
 */
export class MetadataSource {
  readonly #options: MetadataSourceOptions
  readonly #flights: Flights<ServerMetadata>
  #known: ServerMetadata | undefined
  #dueAt = 0

  constructor(options: MetadataSourceOptions) {
    this.#options = options
    this.#flights = new Flights({ ...options, maxFlights: 1 })
  }

  async get(signal: AbortSignal): Promise<ServerMetadata> {
    const known = this.#known
    if (known === undefined) return this.#flights.wait(this.#fetch(), signal)
    if (this.#options.clock.monotonic() >= this.#dueAt) {
      this.#dueAt = this.#options.clock.monotonic() + retryAfterMs
      this.#fetch()
    }
    return known
  }

  close(): void {
    this.#flights.close()
  }

  #fetch(): Flight<ServerMetadata> {
    const current = this.#flights.get(theOne)
    if (current !== undefined) return current
    return this.#flights.start(theOne, false, async (signal) => {
      const metadata = await this.#options.fetch(signal)
      this.#known = metadata
      this.#dueAt = this.#options.clock.monotonic() + maxAgeMs
      return metadata
    })
  }
}
