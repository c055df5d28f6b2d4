import type { Clock } from '../clock.ts'
import { TokenwellError } from '../errors.ts'
import { failureKind } from './failure.ts'

/**
 * `ok`: the last token request went well, or none was needed yet. `degraded`: it failed, and calls go on with the token at
 * hand, or, a minute after the last try, would try again. `down`: it failed a moment ago and there is no token; or the first
 * token, which all calls need, is still awaited; or it was closed.
 */
export type HealthStatus = 'ok' | 'degraded' | 'down'

/** What is known of a token source without asking anybody. */
export interface Health {
  readonly status: HealthStatus
  /** What the last token request failed with; undefined if it went well. */
  readonly error?: Error | undefined
}

/** What {@link RequestOutcomes} stands on. */
export interface RequestOutcomesOptions {
  readonly clock: Clock
  /** Do tokens depend on the context of calls? */
  readonly contextual: boolean
  /** Is there a token of this key that calls would get? */
  readonly serves: (key: string) => boolean
  /** Is this key that of every call, rather than of one tenant or subject? */
  readonly isForAll: (key: string) => boolean
}

// Longer than any failure is remembered, so that while there are calls each failure is followed by the next try. Where there
// are none, because a readiness probe keeps them away, somebody must be let through to find out that things are better.
const letInAfterMs = 60_000

interface Failure {
  readonly key: string
  readonly ofOne: boolean
  readonly error: unknown
  readonly at: number
}

/** How token requests ended, whoever waited for them. */
export class RequestOutcomes {
  readonly #options: RequestOutcomesOptions
  #begun = false
  #ended = false
  #served: string | undefined
  #failure: Failure | undefined

  constructor(options: RequestOutcomesOptions) {
    this.#options = options
  }

  /** Takes note of how this request ends; `ofOne` if it is for one of many subjects. */
  follow(key: string, ofOne: boolean, request: Promise<unknown>): void {
    // That the first token for one caller out of many is awaited says nothing of the others.
    this.#begun ||= !this.#options.contextual
    request.then(
      () => this.#end(key, undefined),
      (error: unknown) => this.#end(undefined, { key, ofOne, error, at: this.#options.clock.monotonic() }),
    )
  }

  /** `upstream` is told in the error. */
  health(upstream: string | undefined): Health {
    const failure = this.#failure
    if (failure === undefined) return { status: this.#begun && !this.#ended ? 'down' : 'ok' }
    const { clock, serves } = this.#options
    const hasToken = serves(failure.key) || (this.#served !== undefined && serves(this.#served))
    const letsIn = clock.monotonic() - failure.at >= letInAfterMs
    return { status: hasToken || letsIn ? 'degraded' : 'down', error: told(failure.error, upstream) }
  }

  #end(served: string | undefined, failure: Failure | undefined): void {
    this.#ended = true
    this.#served = served ?? this.#served
    // One subject's own token that is refused says that the authorization server is there and knows this client.
    const isOnesOwn =
      failure !== undefined &&
      failureKind(failure.error, failure.ofOne) === 'request' &&
      !this.#options.isForAll(failure.key)
    this.#failure = isOnesOwn ? undefined : failure
  }
}

function told(error: unknown, upstream: string | undefined): Error {
  if (error instanceof TokenwellError) return error.reissue({ upstream })
  // One that is not ours may show what is internal when it is serialized: a path, an address.
  return new Error('the token request failed', { cause: error })
}
