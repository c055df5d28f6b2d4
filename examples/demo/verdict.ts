import type { Evidence } from './evidence.ts'

/** One line: what was shown, or what is wrong. */
export function formatVerdict(wrong: readonly string[], { observations }: Evidence): string {
  if (wrong.length > 0) return `WRONG: ${wrong.join('; ')}`
  const calls = observations.reduce((sum, observation) => sum + observation.calls.length, 0)
  return (
    `OK: ${calls} calls with one token request per service; ` +
    'trace context and request ids went on to the API, inbound credentials did not.'
  )
}
