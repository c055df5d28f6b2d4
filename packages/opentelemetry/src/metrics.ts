import type { Histogram, Meter } from '@opentelemetry/api'
import type { TokenHitEvent, TokenwellChannels } from '@tokenwell/core'
import { attributes } from './attributes.ts'
import { EntryCount } from './entry-count.ts'
import { OperationCounts } from './operation-counts.ts'
import type { Listeners } from './subscriptions.ts'

// Those of `http.client.request.duration`, in seconds.
const durations = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10]
// What is asked of a token's life is whether it is about to end, and how long tokens are at all.
const lifetimes = [0, 1, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21_600, 86_400]

/** The instruments, and which events go into which. */
export class Metrics {
  readonly listeners: Listeners
  readonly #operations: OperationCounts
  readonly #entries: EntryCount

  constructor(meter: Meter) {
    const histogram = (name: string, description: string, boundaries = durations): Histogram =>
      meter.createHistogram(name, { description, unit: 's', advice: { explicitBucketBoundaries: boundaries } })
    const acquire = histogram('tokenwell.token.acquire.duration', 'How long a call waited for its token')
    const request = histogram('tokenwell.token.request.duration', 'How long the token endpoint took to answer')
    const remaining = histogram(
      'tokenwell.token.remaining_lifetime',
      'What was left of the life of a token in use',
      lifetimes,
    )
    const wait = histogram('tokenwell.lock.wait.duration', 'How long a process waited for its turn to ask for a token')
    const renewals = meter.createCounter('tokenwell.token.renewals', {
      description: 'Tokens asked for, by what for',
      unit: '{renewal}',
    })
    const replays = meter.createCounter('tokenwell.upstream.replays', {
      description: 'Requests that the API refused, and whether they were sent again',
      unit: '{replay}',
    })
    this.#operations = new OperationCounts(meter)
    this.#entries = new EntryCount(meter)
    const timed = timer()
    const hits = hitAttributes()
    this.listeners = {
      'tokenwell:token.hit': (event) => {
        const of = hits(event)
        acquire.record(event.durationMs / 1000, of.acquire)
        remaining.record(event.remainingMs / 1000, of.remaining)
        of.counted.count += 1
      },
      'tokenwell:token.acquire': {
        start: timed.start,
        asyncEnd: (event) => {
          const { upstream, result, errorType, remainingMs } = event
          acquire.record(timed.seconds(event), attributes({ upstream, result, errorType }))
          if (remainingMs !== undefined) remaining.record(remainingMs / 1000, attributes({ upstream }))
          this.#operations.of({ upstream, tier: 'l1', operation: 'get', cacheOutcome: 'miss' }).count += 1
        },
      },
      'tokenwell:token.renewal': {
        // What another process asked for is counted there.
        asyncEnd: ({ upstream, reason, origin, errorType }) =>
          origin === 'server' && renewals.add(1, attributes({ upstream, reason, errorType })),
      },
      'tokenwell:token.request': {
        start: timed.start,
        asyncEnd: (event) => request.record(timed.seconds(event), attributes(requestValues(event))),
      },
      'tokenwell:cache.operation': {
        asyncEnd: ({ upstream, tier, operation, outcome }) =>
          void (this.#operations.of({ upstream, tier, operation, cacheOutcome: outcome }).count += 1),
      },
      'tokenwell:cache.entries': (event) => this.#entries.note(event),
      'tokenwell:lease.wait': {
        start: timed.start,
        asyncEnd: (event) => {
          const { upstream, outcome: lockOutcome } = event
          wait.record(timed.seconds(event), attributes({ upstream, lockOutcome }))
        },
      },
      'tokenwell:upstream.replay': ({ upstream, reason: replayReason, outcome: replayOutcome }) =>
        replays.add(1, attributes({ upstream, replayReason, replayOutcome })),
    }
    const counts = this.#operations
    function hitAttributes() {
      return perUpstreamAndResult((upstream, result) => ({
        acquire: attributes({ upstream, result }),
        remaining: attributes({ upstream }),
        counted: counts.of({ upstream, tier: 'l1', operation: 'get', cacheOutcome: 'hit' }),
      }))
    }
  }

  stop(): void {
    this.#operations.stop()
    this.#entries.stop()
  }
}

function requestValues(event: TokenwellChannels['tokenwell:token.request']) {
  const { upstream, grantType, serverAddress, serverPort, statusCode, errorType } = event
  return { upstream, grantType, serverAddress, serverPort, statusCode, errorType }
}

/** When each piece of work under way began. */
function timer() {
  const begun = new WeakMap<object, number>()
  return {
    start: (event: object) => void begun.set(event, performance.now()),
    seconds: (event: object) => Math.max(0, performance.now() - (begun.get(event) ?? performance.now())) / 1000,
  }
}

/** Made once for each: every call of a warm upstream asks. */
function perUpstreamAndResult<Made>(make: (upstream: string | undefined, result: TokenHitEvent['result']) => Made) {
  const made = { hit_l1: new Map<string | undefined, Made>(), stale: new Map<string | undefined, Made>() }
  return ({ upstream, result }: TokenHitEvent): Made => {
    const before = made[result].get(upstream)
    if (before !== undefined) return before
    const now = make(upstream, result)
    made[result].set(upstream, now)
    return now
  }
}
