import { TokenRequestError, type TokenwellError } from '../errors.ts'
import { UnchangedCredentialError, type ClientAuthAttempt, type CredentialUsed } from '../oauth/client-auth.ts'
import { failureKind } from './failure.ts'

/** A refusal of the credential that is remembered, and which versions of it were refused. */
export interface RefusedCredential {
  readonly versions: ReadonlySet<string>
  readonly error: TokenwellError
}

/**
 * What one token request, over all of its attempts, knows of the client's credential. A refused one is replaced once, if
 * there is another one by then; the same one is not sent again.
 */
export class CredentialTrail {
  readonly #refused: Set<string>
  #refusal: unknown
  #version: string | undefined
  #attempts = 0
  #replaced = false
  /** False while something is under way, or was sent, that may be sent once only. */
  mayTryAgain = true

  /** After a refusal that still stands: only with another credential, else with the same error. */
  constructor(standing?: RefusedCredential) {
    this.#refused = new Set(standing?.versions)
    this.#refusal = standing?.error
  }

  /** Versions that were refused, in this token request or before. */
  get refused(): ReadonlySet<string> {
    return this.#refused
  }

  /** The version that the last attempt used; undefined for one that cannot change, or when nothing was sent. */
  get version(): string | undefined {
    return this.#version
  }

  /** Sends once; and once more if the credential is refused and there is another one. */
  async attempt<Result>(signal: AbortSignal, send: Send<Result>): Promise<Result> {
    try {
      return await this.#send(signal, send)
    } catch (error) {
      if (this.#replaced || !this.mayTryAgain || !this.#wasRefusedNow(error)) throw error
      this.#replaced = true
      return await this.#send(signal, send)
    }
  }

  async #send<Result>(signal: AbortSignal, send: Send<Result>): Promise<Result> {
    this.#attempts += 1
    this.#version = undefined
    let used: string | undefined
    const attempt = { number: this.#attempts, signal, refused: this.#refused }
    try {
      return await send(attempt, ({ version }) => {
        used = version
        // A provider may answer after its attempt was given up, while the next one is under way.
        if (!signal.aborted) this.#version = version
      })
    } catch (error) {
      if (error instanceof UnchangedCredentialError) throw this.#refusal ?? error
      if (used !== undefined && failureKind(error) === 'credential') {
        this.#refused.add(used)
        this.#refusal = error
      }
      throw error
    }
  }

  #wasRefusedNow(error: unknown): boolean {
    if (this.#version === undefined || error !== this.#refusal) return false
    // Unlike the other refusals, unauthorized_client is about what the client may do, however it proves who it is.
    return !(error instanceof TokenRequestError && error.error === 'unauthorized_client')
  }
}

type Send<Result> = (attempt: ClientAuthAttempt, onCredential: (used: CredentialUsed) => void) => Promise<Result>
