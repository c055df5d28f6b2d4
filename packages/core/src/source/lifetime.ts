/** Settings of a token's life; all durations in milliseconds. */
export interface RenewalOptions {
  /**
   * How long before `expiresAt` a token turns stale. Default: a fifth of its life, at least 2 s and at most an hour.
   * A stale token is still sent while its replacement is fetched. Clamped to half of the token's life.
   */
  readonly renewBeforeMs?: number | undefined
  /**
   * By which share of itself that window is lengthened at most, at random and once per token, so that a fleet does not
   * renew in step. Default 0.25; 0 to 1.
   */
  readonly jitter?: number | undefined
  /** A token with less than this left is no longer sent. Default: a twentieth of its life, 500 ms to 5 s. */
  readonly slackMs?: number | undefined
  /** Life of a token whose server does not say. Default 300 000. */
  readonly defaultLifetimeMs?: number | undefined
  /** Longest life believed. Default 86 400 000, a day. */
  readonly maxLifetimeMs?: number | undefined
  /**
   * How long past its end a token is still sent when no other can be had. Default 0: never. For APIs that are known to
   * tolerate it.
   */
  readonly staleIfErrorMs?: number | undefined
  /**
   * Renews tokens that nobody asks for, the 1000 last issued ones, by timers that do not keep the process alive. Default
   * false: the first call for a stale token renews it.
   */
  readonly keepWarm?: boolean | undefined
  /**
   * How long a failure with no usable token is remembered at most, while callers get it anew without a request. Default
   * 60 000; 0 remembers none. How long it is within that, and for which calls, depends on the failure.
   */
  readonly maxFailurePauseMs?: number | undefined
}

/** A moment on both clocks. */
export interface Instant {
  readonly wall: number
  readonly monotonic: number
}

/** The course of one token's life, counted from the instant at which it was asked for. */
export interface Lifetime {
  readonly start: Instant
  readonly lifetimeMs: number
  /** Stale from here. */
  readonly renewAfterMs: number
  /** Expired from here, which is a little before the server would say so. */
  readonly usableForMs: number
}

/** Fresh: sent, nothing to do. Stale: sent, a replacement is due. Expired: not sent, unless `staleIfErrorMs` allows it. */
export type TokenState = 'fresh' | 'stale' | 'expired'

/** What a server said about a token's life. */
export interface StatedLifetime {
  readonly expiresIn: unknown
  readonly refreshIn: unknown
}

/**
 * Plans a token's life. Undefined when the server says that the token has no life at all (zero, negative, not a
 * number): such a token must not be kept. `random` gives 0 to 1 and is asked once, when the token is stored.
 */
export function planLifetime(
  start: Instant,
  stated: StatedLifetime,
  options: RenewalOptions,
  random: () => number,
): Lifetime | undefined {
  const seconds = secondsOf(stated.expiresIn)
  const statedMs = seconds === undefined ? (options.defaultLifetimeMs ?? 300_000) : seconds * 1000
  if (!Number.isFinite(statedMs) || statedMs <= 0) return undefined
  const lifetimeMs = Math.min(statedMs, options.maxLifetimeMs ?? 86_400_000)
  const slackMs = Math.min(options.slackMs ?? clamp(0.05 * lifetimeMs, 500, 5000), lifetimeMs / 2)
  const usableForMs = lifetimeMs - slackMs
  const windowMs = options.renewBeforeMs ?? clamp(0.2 * lifetimeMs, 2000, 3_600_000)
  const draw = random()
  const jittered = Math.min(windowMs * (1 + draw * (options.jitter ?? 0.25)), lifetimeMs / 2)
  const refreshMs = (secondsOf(stated.refreshIn) ?? 0) * 1000
  const renewAfterMs = refreshMs > 0 && refreshMs < lifetimeMs ? refreshMs * (1 - draw * 0.1) : lifetimeMs - jittered
  return { start, lifetimeMs, renewAfterMs: Math.min(renewAfterMs, usableForMs), usableForMs }
}

/**
 * The same life, over by `endsAt` (wall clock) because what the token was got with is over then. Undefined when it is over already.
 * One that is cut short does not turn stale before: its replacement would not live longer.
 */
export function withEnd(lifetime: Lifetime, endsAt: number): Lifetime | undefined {
  const lifetimeMs = endsAt - lifetime.start.wall
  if (lifetimeMs <= 0) return undefined
  if (lifetimeMs >= lifetime.lifetimeMs) return lifetime
  const usableForMs = Math.min(lifetimeMs, lifetime.usableForMs)
  return { ...lifetime, lifetimeMs, usableForMs, renewAfterMs: usableForMs }
}

/**
 * How much of its life a token has behind it. The clock that says more is believed: the wall clock notices that the
 * machine slept, the monotonic one that somebody set the wall clock back.
 */
export function ageMs(lifetime: Lifetime, wall: number, monotonic: number): number {
  return Math.max(wall - lifetime.start.wall, monotonic - lifetime.start.monotonic)
}

/** The state of a token of this age. */
export function stateAt(lifetime: Lifetime, age: number): TokenState {
  if (age < lifetime.renewAfterMs) return 'fresh'
  return age < lifetime.usableForMs ? 'stale' : 'expired'
}

// RFC 6749 §5.1 has a number; servers also send it as text. Missing (or null) is undefined, nonsense is NaN.
function secondsOf(value: unknown): number | undefined {
  if (value === undefined || value === null) return undefined
  if (typeof value === 'number') return value
  return typeof value === 'string' && value.trim() !== '' ? Number(value) : Number.NaN
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(Math.max(value, low), high)
}
