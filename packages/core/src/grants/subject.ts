import { hash, randomUUID } from 'node:crypto'
import { decodeJwt } from 'jose'
import type { CallContext } from '../context/call-context.ts'
import { canonical } from '../oauth/canonical-json.ts'
import { valueIn, type Contextual } from './access-options.ts'
import type { TokenParameters } from './grant.ts'

/** In whose name, as the token key has it: how that is known, and a hash of it. */
export type SubjectKey = readonly [by: string, id: string]

/** By the name that the user gave. `option` comes first in the `TypeError` for one that is none. */
export function subjectByName(option: string, subject: Contextual<string>): Contextual<SubjectKey> {
  const key = (context: CallContext): SubjectKey => ['name', sha256(subjectName(option, subject, context))]
  return typeof subject === 'function' ? key : key({})
}

/** The name for one context. */
export function subjectName(option: string, subject: Contextual<string>, context: CallContext): string {
  const name: unknown = valueIn(subject, context)
  if (typeof name === 'string' && name.length > 0) return name
  throw new TypeError(`${option}: expected a non-empty string, or a function of the context that gives one`)
}

/** By a token that is given once and for all. */
export function subjectByToken(token: string): SubjectKey {
  return ['token', sha256(token)]
}

/** By what an assertion says, but for what differs each time that one is made. */
export function subjectByClaims(claims: Readonly<Record<string, unknown>>): SubjectKey {
  const { exp: _exp, iat: _iat, nbf: _nbf, jti: _jti, ...stable } = claims
  return ['claims', sha256(JSON.stringify(canonical(stable)))]
}

/** The same of an assertion that is given as text; by all of it if it cannot be read. */
export function subjectByAssertion(assertion: string): SubjectKey {
  try {
    return subjectByClaims(decodeJwt(assertion))
  } catch {
    return subjectByToken(assertion)
  }
}

/** By nothing that anybody else has: tokens are shared with no other source, in whatever cache. */
export function subjectOfNobodyElse(): SubjectKey {
  return ['unnamed', randomUUID()]
}

/**
 * Throws unless what selects the token is still what the token key was made of: what was waited for under one key must not be got in
 * another one's name.
 */
export function assertSameSubject(grant: string, planned: TokenParameters['subject'], now: readonly string[]): void {
  if (JSON.stringify(now) === JSON.stringify(planned)) return
  throw new TypeError(`${grant}: expected functions of the context alone; one gave something else than before`)
}

/** As a hash, for what may be in no key in clear. */
export function sha256(text: string): string {
  return hash('sha256', text, 'base64url')
}
