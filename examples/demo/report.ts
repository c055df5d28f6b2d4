import type { Evidence } from './evidence.ts'
import { formatTable } from './table.ts'

const header = [
  'caller',
  'authenticates by',
  'calls the API by',
  'client_id seen',
  'scope',
  'type',
  'status',
  'calls',
  'token requests',
]

/** What happened, as a table: a row for each example, and one for a call without a token. */
export function formatReport({ observations, controls }: Evidence): string {
  const rows = observations.map(({ caller, calls, tokenRequests }) => [
    caller.name,
    distinct(tokenRequests.map(({ clientAuthMethod }) => clientAuthMethod)),
    caller.entryPoint,
    distinct(calls.map(({ seen }) => seen?.clientId)),
    distinct(calls.map(({ seen }) => seen?.scope)),
    distinct(calls.map(({ seen }) => seen?.tokenType)),
    distinct(calls.map(({ status }) => status)),
    calls.length,
    tokenRequests.length,
  ])
  const control = ['(nobody)', '-', 'fetch() without a token', '-', '-', '-', String(controls.withoutToken), 1, 0]
  return formatTable(header, [...rows, control])
}

function distinct(values: readonly (string | number | undefined)[]): string {
  return [...new Set(values.map((value) => value ?? '-'))].join(', ')
}
