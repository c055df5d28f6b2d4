import type { TokenRequestRecord } from '@tokenwell/testing'
import type { Call, Evidence, Observation } from './evidence.ts'
import type { End } from './start-example.ts'
import { formatTable } from './table.ts'

const callsHeader = [
  'caller',
  'on behalf of',
  'calls the API by',
  'authenticates by',
  'client_id seen',
  'subject seen',
  'scope seen',
  'status',
  'calls',
  'token requests',
]

/** What happened, as a table: for each example what it did for itself and for users, and calls that the API refused. */
export function formatReport({ observations, users, controls }: Evidence): string {
  const refused = (who: string, how: string, status: number) => [
    who,
    '-',
    how,
    '-',
    '-',
    '-',
    '-',
    String(status),
    1,
    0,
  ]
  return formatTable(callsHeader, [
    ...observations.flatMap((observation) => [
      row(observation, 'itself', observation.orders, observation.ownTokenRequests),
      ...(observation.profiles.length === 0
        ? []
        : [row(observation, 'its callers', observation.profiles, observation.exchanges)]),
    ]),
    refused('(nobody)', 'fetch() without a token', controls.withoutToken),
    refused(`(${users[0]?.name})`, 'fetch() with the own token', controls.withInboundToken),
  ])
}

/** How services answer what is not a call, how they are, and how each example ended, as a table. */
export function formatManners({ observations }: Evidence, ends: readonly End[]): string {
  const endOf = (name: string) => ends.find(({ caller }) => caller.name === name)
  const rows = observations.map(({ caller: { name }, manners }) => {
    const end = endOf(name)
    const ended = end === undefined ? '-' : (end.problem ?? 'exit code 0')
    const { withoutToken = '-', withForgedToken = '-', live = '-', ready = '-' } = manners ?? {}
    return [name, withoutToken, withForgedToken, String(live), String(ready), ended]
  })
  const header = ['example', '/profile without a token', '/profile with a forged one', '/healthz', '/readyz', 'SIGTERM']
  return formatTable(header, rows)
}

function row(
  { caller }: Observation,
  onBehalfOf: string,
  calls: readonly Call[],
  tokenRequests: readonly TokenRequestRecord[],
): (string | number)[] {
  return [
    caller.name,
    onBehalfOf,
    caller.entryPoint,
    distinct(tokenRequests.map(({ clientAuthMethod }) => clientAuthMethod)),
    distinct(calls.map(({ seen }) => seen?.clientId)),
    distinct(calls.map(({ seen }) => seen?.subject)),
    distinct(calls.map(({ seen }) => seen?.scope)),
    distinct(calls.map(({ status }) => status)),
    calls.length,
    tokenRequests.length,
  ]
}

function distinct(values: readonly (string | number | undefined)[]): string {
  return [...new Set(values.map((value) => value ?? '-'))].join(', ')
}
