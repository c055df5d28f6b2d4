import type { AuthorizationServer, ProtectedApiRequest } from '@tokenwell/testing'
import type { Library } from './libraries.ts'

/** What came of a library's calls. */
export interface Observation {
  readonly library: Library
  /** Why they ended early, if they did. */
  readonly failure: string | undefined
  /** As the API recorded them. */
  readonly seen: readonly ProtectedApiRequest[]
}

/** What happened, as a table. */
export function report(observations: readonly Observation[]): string {
  const rows = observations.map(({ library, seen }) => [
    library.name,
    methodsOf(seen),
    distinct(seen.map(({ status }) => status)),
    distinct(seen.map(({ clientId }) => clientId)),
  ])
  const all = [['library', 'methods', 'status', 'client_id seen'], ...rows]
  const widths = [0, 1, 2, 3].map((column) => Math.max(...all.map((row) => row[column]?.length ?? 0)))
  const lines = all.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  '))
  lines.splice(1, 0, widths.map((width) => '-'.repeat(width)).join('  '))
  return `${lines.map((line) => line.trimEnd()).join('\n')}\n`
}

/** Everything that is not as it must be; empty if all is well. */
export function judge(observations: readonly Observation[], server: AuthorizationServer): readonly string[] {
  const { clientId } = server.clients.basic
  const wrong = observations.flatMap(({ library, failure, seen }) => {
    const problems = failure === undefined ? [] : [failure]
    const [expected, methods] = [library.methods.join(', '), methodsOf(seen)]
    if (methods !== expected) problems.push(`${methods} instead of ${expected}`)
    if (seen.some(({ status }) => status !== 200)) problems.push('it was refused')
    if (seen.some((request) => request.clientId !== clientId)) problems.push(`client_id was not always ${clientId}`)
    return problems.map((problem) => `${library.name}: ${problem}`)
  })
  // They share the upstream, so they share its token.
  if (server.tokenRequestCount !== 1) wrong.push(`${server.tokenRequestCount} token requests instead of 1`)
  return wrong
}

function methodsOf(seen: readonly ProtectedApiRequest[]): string {
  return seen.map(({ method }) => method).join(', ')
}

function distinct(values: readonly (string | number | undefined)[]): string {
  return [...new Set(values.map((value) => value ?? '-'))].join(', ')
}
