import type { OracleApplication } from './application.ts'
import { genericIssuer } from './domain.ts'
import { badRequest } from './oracle-error.ts'

/** What a token is issued for. */
export interface GrantedScope {
  /** As the token says it. */
  readonly scope: string
  readonly audience: readonly string[]
  /** Asked for by `urn:opc:resource:expiry`. */
  readonly lifetimeSeconds?: number
}

const [shortest, longest] = [60, 31_556_952]

/** Grants the scopes of a request, all or none. Throws an OracleError, `invalid_scope`. */
export function grantScope(requested: string | null, application: OracleApplication): GrantedScope {
  const words = requested?.split(' ') ?? []
  const expiries = words.filter((word) => word.startsWith('urn:opc:resource:expiry='))
  const granted = words.filter((word) => !expiries.includes(word)).map((word) => grantOne(word, application))
  if (granted.length === 0) throw badRequest('invalid_scope', 'a scope is required')
  if (expiries.length > 1) throw badRequest('invalid_scope', 'only one expiry can be asked for')
  return {
    scope: granted.map(({ scope }) => scope).join(' '),
    audience: [...new Set(granted.map(({ audience }) => audience))],
    ...(expiries[0] === undefined ? {} : { lifetimeSeconds: readExpiry(expiries[0]) }),
  }
}

function grantOne(word: string, application: OracleApplication): { scope: string; audience: string } {
  const { roles = [], resources = [] } = application
  if (word === 'urn:opc:idm:__myscopes__') {
    return { scope: roles.map(roleScope).join(' ') || word, audience: genericIssuer }
  }
  if (roles.map(roleScope).includes(word)) return { scope: word, audience: genericIssuer }
  for (const { audience, scopes } of resources) {
    for (const scope of scopes) if (word === audience + scope) return { scope, audience }
  }
  throw badRequest('invalid_scope', 'the application may not have a requested scope')
}

// A role's name is percent-encoded within its scope, which the form encodes once more.
function roleScope(role: string): string {
  return `urn:opc:idm:role.${encodeURIComponent(role)}`
}

function readExpiry(word: string): number {
  const text = word.slice(word.indexOf('=') + 1)
  const seconds = /^\d+$/.test(text) ? Number(text) : Number.NaN
  if (seconds >= shortest && seconds <= longest) return seconds
  throw badRequest('invalid_scope', `an expiry is ${shortest} to ${longest} seconds`)
}
