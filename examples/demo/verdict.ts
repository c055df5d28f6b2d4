import type { Evidence } from './evidence.ts'

/** What was shown, or what is wrong. */
export function formatVerdict(wrong: readonly string[], { observations, users }: Evidence): string {
  if (wrong.length > 0) return `WRONG: ${wrong.join('; ')}`
  const calls = observations.reduce((sum, { orders, profiles }) => sum + orders.length + profiles.length, 0)
  return (
    `OK: ${calls} calls, one token request for each service and one for each of its ${users.length} callers, none mixed up; ` +
    'trace context and request ids went on to the API, inbound credentials did not.'
  )
}
