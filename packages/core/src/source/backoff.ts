import type { FailureKind } from './failure.ts'
import type { Lifetime } from './lifetime.ts'

// 2 ** 30 is beyond every cap, and still a number.
const doublings = (failures: number): number => 2 ** Math.min(failures - 1, 30)

/** What decides when a failed background renewal is tried again. */
export interface RenewalAttempt {
  readonly lifetime: Lifetime
  /** Age of the token that is still in use. */
  readonly ageMs: number
  /** Failures in a row, this one included: at least 1. */
  readonly failures: number
}

/**
 * The age at which a stale token's renewal is tried again: equal jitter over 2 s · 2ⁿ, at most a minute, but early
 * enough that one more attempt is made while the token is still usable.
 */
export function nextRenewalAge({ lifetime, ageMs, failures }: RenewalAttempt, random: () => number): number {
  const backedOff = ageMs + equalJitter(Math.min(2000 * doublings(failures), 60_000), random)
  const slackMs = lifetime.lifetimeMs - lifetime.usableForMs
  const last = Math.max(lifetime.lifetimeMs - Math.max(30_000, 2 * slackMs), ageMs + (lifetime.lifetimeMs - ageMs) / 2)
  return Math.min(backedOff, last)
}

/** How long to wait before attempt number `made` + 1 of one token request: full jitter over 200 ms · 2ⁿ, at most 2 s. */
export function retryPauseMs(made: number, random: () => number): number {
  return random() * Math.min(200 * doublings(made), 2000)
}

/** A failure with no usable token at hand. */
export interface ForegroundFailure {
  readonly kind: Exclude<FailureKind, 'local'>
  /** Failures in a row, this one included: at least 1. */
  readonly failures: number
  /** What the server asked for by Retry-After, if it did. */
  readonly retryAfterMs: number | undefined
}

/**
 * How long such a failure is remembered. Trouble: what Retry-After says, at most a minute, else equal jitter over
 * 1 s · 2ⁿ, at most half a minute. A refusal: 1 to 5 s, doubling, at most a minute.
 */
export function failurePauseMs({ kind, failures, retryAfterMs }: ForegroundFailure, random: () => number): number {
  if (kind === 'transient') {
    if (retryAfterMs !== undefined && retryAfterMs > 0) return Math.min(retryAfterMs, 60_000)
    return equalJitter(Math.min(1000 * doublings(failures), 30_000), random)
  }
  return Math.min((1000 + random() * 4000) * doublings(failures), 60_000)
}

function equalJitter(ms: number, random: () => number): number {
  return ms / 2 + (random() * ms) / 2
}
