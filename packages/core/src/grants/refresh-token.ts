import { accessParameters, type AccessOptions, type Contextual } from './access-options.ts'
import { grantSecretReader, type GrantSecret } from './grant-secret.ts'
import type { Grant, GrantRequest } from './grant.ts'
import { RefreshTokenChain, type OnRotated } from './refresh-token-chain.ts'
import { subjectByName, subjectByToken, subjectName, subjectOfNobodyElse, type SubjectKey } from './subject.ts'
import { Turns } from './turns.ts'

/** Options of {@link refreshToken}. */
export interface RefreshTokenOptions extends AccessOptions {
  /**
   * The refresh token, or where it is kept: a function or a file is read for each token request, and what it gives is used unless
   * it is known to have been replaced since.
   */
  readonly refreshToken: GrantSecret
  /**
   * Called with each refresh token that the server gives in place of the one that was sent, and awaited before the access token
   * that came with it is used; its time is part of `timeoutMs`. Store it where `refreshToken` finds it. When it fails, the tokens
   * are used all the same, a process warning (`TOKENWELL_REFRESH_TOKEN_NOT_STORED`) tells why, and it is called once more after
   * the next token request. Default: this process alone remembers it.
   */
  readonly onRotated?: OnRotated | undefined
  /**
   * Whose refresh token it is, in the token key, as a hash: for one from a function or a file. Without it such a grant shares no
   * token with another one. Default for a text: the text itself.
   */
  readonly subject?: Contextual<string> | undefined
}

const maxSubjects = 1000

/**
 * The refresh token grant (RFC 6749 §6), for a service that a user once let in and that goes on without.
 *
 * A refresh token is in one request at a time, and is not sent again once it was replaced or refused (`invalid_grant`). After a
 * request whose answer was lost it may have been used up: it is sent again when no usable access token is left, and not before,
 * since a server may take that for theft and revoke all that came of it (RFC 9700 §4.14.2). All of this holds for one grant
 * object: give the same one to all sources that share a refresh token. A scope must lie within what was granted.
 *
 * Throws a `TypeError` for a wrong option. Without a refresh token that can be used, the token request fails with
 * `invalid_grant` before anything is sent.
 */
export function refreshToken(options: RefreshTokenOptions): Grant {
  const { refreshToken: source, onRotated, subject, ...access } = options
  const option = 'refreshToken: refreshToken'
  const read = grantSecretReader(option, source)
  if (onRotated !== undefined && typeof onRotated !== 'function') {
    throw new TypeError('refreshToken: onRotated: expected a function')
  }
  if (typeof subject === 'function' && typeof source !== 'function') {
    throw new TypeError(`${option}: expected a function, as subject is one`)
  }
  const chains = new Chains((name) => new RefreshTokenChain({ option, subject: name, onRotated, read }))
  return Object.freeze({
    type: 'refresh_token',
    ...accessParameters(access, subjectOf(source, subject)),
    credentials: (request: GrantRequest) => {
      const context = typeof subject === 'function' ? request.context : undefined
      const name = subject === undefined ? undefined : subjectName('refreshToken: subject', subject, context ?? {})
      const { turns, chain } = chains.of(name)
      return turns.take(request.signal, () => chain.credentials({ ...request, context }))
    },
  })
}

function subjectOf(source: GrantSecret, subject: Contextual<string> | undefined): Contextual<SubjectKey> {
  if (subject !== undefined) return subjectByName('refreshToken: subject', subject)
  return typeof source === 'string' ? subjectByToken(source) : subjectOfNobodyElse()
}

interface OfSubject {
  readonly turns: Turns
  readonly chain: RefreshTokenChain
}

/** The chains of all subjects. Over 1000, those that are stored elsewhere and not in use are forgotten, the oldest first. */
class Chains {
  readonly #make: (subject: string | undefined) => RefreshTokenChain
  readonly #bySubject = new Map<string, OfSubject>()

  constructor(make: (subject: string | undefined) => RefreshTokenChain) {
    this.#make = make
  }

  of(subject: string | undefined): OfSubject {
    const key = subject ?? ''
    const known = this.#bySubject.get(key)
    const found = known ?? { turns: new Turns(), chain: this.#make(subject) }
    this.#bySubject.delete(key)
    this.#bySubject.set(key, found)
    if (known === undefined) this.#forget()
    return found
  }

  #forget(): void {
    for (const [key, { turns, chain }] of this.#bySubject) {
      if (this.#bySubject.size <= maxSubjects) return
      if (turns.areOver && chain.isStored) this.#bySubject.delete(key)
    }
  }
}
