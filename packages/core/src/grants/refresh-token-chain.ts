import { hash } from 'node:crypto'
import { redactedCause } from '../diagnostics/redact.ts'
import { TokenRequestError } from '../errors.ts'
import { untilAborted } from '../until-aborted.ts'
import type { GrantCredentials, GrantRequest, SendingEnd } from './grant.ts'

/** Told of each refresh token that the server gives, and awaited before the access token that came with it is used. */
export type OnRotated = (refreshToken: string, about: { readonly subject: string | undefined }) => unknown

/** What a chain stands on. */
export interface RefreshTokenChainOptions {
  /** Comes first in messages. */
  readonly option: string
  readonly subject: string | undefined
  readonly onRotated: OnRotated | undefined
  /** The refresh token that the user has; undefined when there is none but what the server gives. */
  read(request: GrantRequest): Promise<string | undefined>
}

const maxSpent = 100

/**
 * The refresh tokens of one subject, each of which takes the place of the one before (RFC 6749 §6). A server may take one once
 * only, and regard a second use as theft (RFC 9700 §4.14.2), so one that was replaced or refused is never sent again, and one
 * that may have been used up only when there is nothing left that sending it could cost.
 */
export class RefreshTokenChain {
  readonly #options: RefreshTokenChainOptions
  /** Hashes of those that were replaced or refused, the least recently met first. */
  readonly #spent = new Set<string>()
  /** The last one that the server gave, or the user, whichever was later. */
  #newest: string | undefined
  /** What became of it is not known. */
  #inDoubt: string | undefined
  #kept = true

  constructor(options: RefreshTokenChainOptions) {
    this.#options = options
  }

  /** Nothing would be lost if it were forgotten. */
  get isStored(): boolean {
    return this.#kept && this.#inDoubt === undefined
  }

  async credentials(request: GrantRequest): Promise<GrantCredentials> {
    const token = this.#choose(await this.#options.read(request))
    if (token === this.#inDoubt && request.tokenAtHand) {
      throw this.#unusable(
        'may have been used up by a request whose answer was lost, and is tried once more when there is no other token',
      )
    }
    return {
      type: 'refresh_token',
      parameters: [['refresh_token', token]],
      settle: (end) => this.#settle(token, end, request.signal),
    }
  }

  /** Takes note of one that the server gave. */
  async add(refreshToken: string, signal: AbortSignal): Promise<void> {
    this.#newest = refreshToken
    this.#kept = false
    await this.#keep(refreshToken, signal)
  }

  // What the user has counts unless it is known to be spent: another process may have been given a newer one.
  #choose(given: string | undefined): string {
    if (given !== undefined && !this.#isSpent(given)) {
      if (this.#newest !== undefined && this.#newest !== given) this.#spend(this.#newest)
      this.#newest = given
      this.#kept = true
      return given
    }
    if (this.#newest !== undefined && !this.#isSpent(this.#newest)) return this.#newest
    throw this.#unusable('was used up or refused, and there is no newer one')
  }

  async #settle(token: string, { outcome, error, refreshToken }: SendingEnd, signal: AbortSignal): Promise<boolean> {
    if (outcome === 'unknown') this.#inDoubt = token
    if (outcome === 'granted') this.#inDoubt = undefined
    if (outcome === 'refused' && error === 'invalid_grant') this.#spend(token)
    if (outcome === 'granted' && refreshToken !== undefined && refreshToken !== token) {
      this.#spend(token)
      await this.add(refreshToken, signal)
    } else if (outcome === 'granted' && !this.#kept) {
      await this.#keep(token, signal)
    }
    return outcome !== 'unknown'
  }

  // The one before is spent, so this one is used and kept in memory even if it could not be stored: that loses nothing, and the
  // next answer is another chance to store it. Whose callback hangs gets no token from this request, but all from the next.
  async #keep(refreshToken: string, signal: AbortSignal): Promise<void> {
    const { onRotated, option, subject } = this.#options
    if (onRotated === undefined) return
    const store = async () => {
      try {
        await onRotated(refreshToken, { subject })
        if (refreshToken === this.#newest) this.#kept = true
      } catch (error) {
        warn(option, redactedCause(error, [refreshToken]))
      }
    }
    await untilAborted(signal, store()).catch(() => undefined)
  }

  #spend(token: string): void {
    this.#spent.add(hashOf(token))
    if (token === this.#inDoubt) this.#inDoubt = undefined
    for (const oldest of this.#spent) {
      if (this.#spent.size <= maxSpent) break
      this.#spent.delete(oldest)
    }
  }

  #isSpent(token: string): boolean {
    const key = hashOf(token)
    // What is still met stays known, however many came after it: a text that is given once and for all is met each time.
    return this.#spent.delete(key) && this.#spent.add(key).has(key)
  }

  #unusable(why: string): TokenRequestError {
    return new TokenRequestError('this service could not prepare its token request', {
      error: 'invalid_grant',
      cause: new TypeError(`${this.#options.option}: ${why}`),
    })
  }
}

function hashOf(token: string): string {
  return hash('sha256', token, 'base64url')
}

// Nobody who waits for a token could do anything about it, and the token is good.
function warn(option: string, cause: unknown): void {
  process.emitWarning('onRotated failed: the new refresh token is in use, but only the memory of this process has it', {
    type: 'TokenwellWarning',
    code: 'TOKENWELL_REFRESH_TOKEN_NOT_STORED',
    detail: `${option}: ${cause instanceof Error ? cause.message : 'nothing was thrown'}`,
  })
}
