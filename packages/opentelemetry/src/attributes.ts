import type { Attributes } from '@opentelemetry/api'

/** Attributes by the names that they have here and in OpenTelemetry's conventions. None can have more values than configuration has. */
export const names = Object.freeze({
  upstream: 'tokenwell.upstream.name',
  result: 'tokenwell.cache.result',
  grantType: 'tokenwell.grant_type',
  reason: 'tokenwell.renewal.reason',
  tier: 'tokenwell.cache.tier',
  operation: 'tokenwell.cache.operation',
  cacheOutcome: 'tokenwell.cache.outcome',
  replayReason: 'tokenwell.replay.reason',
  replayOutcome: 'tokenwell.replay.outcome',
  lockOutcome: 'tokenwell.lock.outcome',
  serverAddress: 'server.address',
  serverPort: 'server.port',
  statusCode: 'http.response.status_code',
  errorType: 'error.type',
})

/** Those that are known. */
export function attributes(values: {
  readonly [Name in keyof typeof names]?: string | number | undefined
}): Attributes {
  const known: Attributes = {}
  for (const [name, value] of Object.entries(values)) {
    if (value !== undefined) known[names[name as keyof typeof names]] = value
  }
  return known
}
