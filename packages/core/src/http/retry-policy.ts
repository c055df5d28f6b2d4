import { retryAtOf } from '../oauth/retry-after.ts'
import type { Attempt, Trouble } from './attempt-handler.ts'
import { isReplayable } from './replayable-body.ts'

/** What is sent again after trouble that may pass. */
export interface RetryPolicy {
  /** How often a call is sent in all. */
  readonly attempts: number
  readonly methods: ReadonlySet<string>
  readonly statusCodes: ReadonlySet<number>
}

// No response, and nothing that a second attempt would meet again, as a wrong certificate is.
const passing = new Set([
  'EAI_AGAIN',
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTDOWN',
  'EHOSTUNREACH',
  'ENETDOWN',
  'ENETUNREACH',
  'ENOTFOUND',
  'EPIPE',
  'ETIMEDOUT',
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_SOCKET',
])

/**
 * How long to wait before a request is sent again, in milliseconds; undefined when it is not: its method or its body forbids it,
 * or it was sent often enough. What Retry-After says (RFC 9110 §10.2.3), else full jitter over 200 ms · 2ⁿ, at most 2 s.
 */
export function pauseBeforeRetry(
  policy: RetryPolicy,
  { request, tried: { retries } }: Attempt,
  trouble: Trouble,
): number | undefined {
  if (retries + 1 >= policy.attempts || !policy.methods.has(request.method.toUpperCase())) return undefined
  if (!isReplayable(request, 'replayable')) return undefined
  const jittered = Math.random() * Math.min(200 * 2 ** retries, 2000)
  if ('error' in trouble)
    return passing.has(String((trouble.error as NodeJS.ErrnoException).code)) ? jittered : undefined
  const now = Date.now()
  const asked = trouble.headers['retry-after']
  const at = retryAtOf(new Headers({ 'retry-after': String(asked ?? '') }), now)
  return at === undefined ? jittered : at - now
}
