import type { Lifetime } from './lifetime.ts'

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
  const full = Math.min(2000 * 2 ** Math.min(failures - 1, 10), 60_000)
  const backedOff = ageMs + full / 2 + (random() * full) / 2
  const slackMs = lifetime.lifetimeMs - lifetime.usableForMs
  const last = Math.max(lifetime.lifetimeMs - Math.max(30_000, 2 * slackMs), ageMs + (lifetime.lifetimeMs - ageMs) / 2)
  return Math.min(backedOff, last)
}
